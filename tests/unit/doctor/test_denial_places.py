"""Where AWS's words put a denial, and what they say of a key and of TLS."""

import pytest

from trailcourier.doctor import tls_fixes
from trailcourier.doctor.denial_places import PLACES, find_key, find_place

KEY = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/1234-ab"
SAID = "User: u is not authorized to perform: s3:GetObject on resource: r"


@pytest.mark.parametrize("named", PLACES)
def test_the_policy_that_aws_blames_is_found(named):
    assert find_place(f"{SAID} because no {named} allows the s3:GetObject action") == PLACES[named]
    assert find_place(f"{SAID} with an explicit deny in a {named}") == PLACES[named]
    assert (
        find_place(f"{SAID} with an explicit deny in a {named}: arn:aws:iam::1:p")
        == (PLACES[named])
    )


@pytest.mark.parametrize("named", ["identity-based policy", "resource-based policy"])
def test_the_usual_policies_have_the_usual_fix(named):
    assert find_place(f"{SAID} because no {named} allows the s3:GetObject action") == ""
    assert find_place("Access Denied") == ""


def test_the_key_in_an_error_is_found():
    assert find_key(f"not authorized to perform: kms:Decrypt on resource: {KEY} because") == KEY
    assert find_key("Access Denied") == ""


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        ("its certificate is not accepted: certificate has expired", tls_fixes.EXPIRED),
        ("its certificate is not accepted: Hostname mismatch, certificate", tls_fixes.OTHER_NAME),
        ("TLS: wrong version number", tls_fixes.PLAIN),
        ("TLS: record layer failure", tls_fixes.PLAIN),
        ("no answer within 4 s", tls_fixes.SILENT),
        ("its certificate is not accepted: self-signed certificate", "other"),
    ],
)
def test_a_tls_error_has_the_fix_of_its_cause(words, fix):
    assert tls_fixes.fix_for(words, "other") == fix
