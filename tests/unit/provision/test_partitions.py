"""Every service that a plan calls has a host in every partition, by botocore's own rules."""

import pytest

from tests.aws_answers import session
from trailcourier import aws, regions
from trailcourier.egress import Egress
from trailcourier.provision import Request, plan

CHOICES = (
    {"organization": True, "kms_key": "new"},
    {"delivery": "eventbridge", "reader": "instance-profile"},
)


@pytest.mark.parametrize("region", ["us-east-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"])
def test_s01_s14_every_call_goes_to_a_host_of_its_partition(region):
    made = session()
    calls = {
        (call.service, call.region)
        for choices in CHOICES
        for step in plan(Request(region=region, account="111122223333", **choices))
        for call in step.calls
    }

    hosts = [aws.client(made, *each, egress=Egress()).meta.endpoint_url for each in calls]

    suffix = regions.suffix(regions.partition(region))
    assert {host for host in hosts if not host.endswith(f".{suffix}")} == set()
    assert len({service for service, _ in calls}) == 9
