"""Every service that a plan calls has a host in every partition, by botocore's rules."""

import pytest

from tests.support.aws_answers import session
from trailcourier.aws import clients, regions
from trailcourier.aws.network import Network
from trailcourier.provision import SetupRequest, plan

CHOICES = (
    {"organization": True, "kms_key": "new"},
    {"delivery": "eventbridge", "reader": "instance-profile"},
)


@pytest.mark.parametrize("region", ["us-east-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"])
def test_every_call_goes_to_a_host_of_its_partition(region):
    made = session()
    calls = {
        (call.service, call.region)
        for choices in CHOICES
        for step in plan(SetupRequest(region=region, account="111122223333", **choices))
        for call in step.calls
    }

    hosts = [
        clients.make_client(made, *each, network=Network()).meta.endpoint_url for each in calls
    ]

    suffix = regions.host_suffix(regions.partition_of(region))
    assert {host for host in hosts if not host.endswith(f".{suffix}")} == set()
    assert len({service for service, _ in calls}) == 9
