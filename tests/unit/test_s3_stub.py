"""The stub is held to what boto3 and obstore make of its answers."""

import boto3
import obstore
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    ReadTimeoutError,
    ResponseStreamingError,
)
from obstore.store import S3Store

from tests.support import servers
from tests.support.s3_stub import S3Stub

KEY = "AWSLogs/111122223333/a +ü=file.json.gz"


def client_of(url, *, region="us-east-1"):
    return boto3.client(
        "s3",
        region_name=region,
        endpoint_url=url,
        aws_access_key_id="AKIAEXAMPLE",
        aws_secret_access_key="secret",
        config=Config(
            retries={"total_max_attempts": 1}, read_timeout=0.5, s3={"addressing_style": "path"}
        ),
    )


def no_redirect(params, context, **_):
    context.setdefault("s3_redirect", {})["redirected"] = True


@pytest.fixture
def stub():
    with S3Stub() as started:
        started.put("logs", KEY, b"0123456789")
        yield started


@pytest.fixture
def s3(stub):
    client = client_of(stub.url)
    client.meta.events.register_last("before-parameter-build.s3", no_redirect)
    yield client
    client.close()


@pytest.fixture
def store(stub):
    return S3Store(
        "logs",
        endpoint=stub.url,
        region="us-east-1",
        access_key_id="AKIAEXAMPLE",
        secret_access_key="secret",
        client_options={"allow_http": True, "timeout": "2s"},
        retry_config={"max_retries": 0},
    )


def test_an_object_is_read_as_it_was_put(stub, s3, store):
    answer = s3.get_object(Bucket="logs", Key=KEY)

    assert answer["Body"].read() == b"0123456789"
    assert bytes(obstore.get(store, KEY).bytes()) == b"0123456789"
    assert obstore.head(store, KEY)["e_tag"] == answer["ETag"]
    assert stub.reads()[KEY] == 2


def test_a_part_of_an_object_is_read(s3):
    answer = s3.get_object(Bucket="logs", Key=KEY, Range="bytes=2-4")

    assert answer["Body"].read() == b"234"
    assert answer["ContentRange"] == "bytes 2-4/10"


def test_an_object_can_be_put_and_listed(stub, s3):
    s3.put_object(Bucket="logs", Key="new", Body=b"x" * 100_000)

    listed = s3.list_objects_v2(Bucket="logs", Prefix="n")["Contents"]

    assert [(each["Key"], each["Size"]) for each in listed] == [("new", 100_000)]
    assert s3.get_object(Bucket="logs", Key="new")["Body"].read() == b"x" * 100_000


@pytest.mark.parametrize(
    ("bucket", "key", "code"),
    [("logs", "not-there", "NoSuchKey"), ("not-there", "k", "NoSuchBucket")],
    ids=["key", "bucket"],
)
def test_what_is_not_there_is_an_error(s3, bucket, key, code):
    with pytest.raises(ClientError) as raised:
        s3.get_object(Bucket=bucket, Key=key)

    assert raised.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("code", "status"), [("SlowDown", 503), ("AccessDenied", 403), ("PermanentRedirect", 301)]
)
def test_an_error_is_answered_as_often_as_asked(stub, s3, code, status):
    stub.fault(KEY, code=code, skip=1, times=1)

    s3.get_object(Bucket="logs", Key=KEY)
    with pytest.raises(ClientError) as raised:
        s3.get_object(Bucket="logs", Key=KEY)

    assert raised.value.response["Error"]["Code"] == code
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert s3.get_object(Bucket="logs", Key=KEY)["Body"].read() == b"0123456789"


def test_a_read_hangs_until_the_client_gives_up(stub, s3):
    stub.fault(KEY, hang=True)

    with pytest.raises(ReadTimeoutError):
        s3.get_object(Bucket="logs", Key=KEY)


def test_a_connection_is_reset(stub, s3):
    stub.fault("*", reset=True)

    with pytest.raises(ConnectionClosedError):
        s3.get_object(Bucket="logs", Key=KEY)
    assert stub.log[-1].status == 0


def test_a_body_is_cut_short(stub, s3, store):
    stub.fault(KEY, cut=4, times=2)

    with pytest.raises(ResponseStreamingError):
        s3.get_object(Bucket="logs", Key=KEY)["Body"].read()
    with pytest.raises(obstore.exceptions.GenericError):
        obstore.get(store, KEY).bytes()


def test_a_read_is_slow(stub, s3):
    stub.fault(KEY, delay=0.1)

    assert s3.get_object(Bucket="logs", Key=KEY)["Body"].read() == b"0123456789"


def test_a_bucket_answers_in_its_own_region_only(stub, s3):
    stub.regions["logs"] = "eu-west-1"
    at_home = client_of(stub.url, region="eu-west-1")

    with pytest.raises(ClientError) as raised:
        s3.get_object(Bucket="logs", Key=KEY)

    answer = raised.value.response
    assert answer["Error"]["Code"] == "PermanentRedirect"
    assert answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == "eu-west-1"
    assert at_home.get_object(Bucket="logs", Key=KEY)["Body"].read() == b"0123456789"
    assert at_home.head_bucket(Bucket="logs")["BucketRegion"] == "eu-west-1"
    at_home.close()


def test_a_removed_object_is_gone(stub, s3):
    stub.remove("logs", KEY)

    with pytest.raises(s3.exceptions.NoSuchKey):
        s3.get_object(Bucket="logs", Key=KEY)


def test_the_stub_serves_a_directory_as_a_process(tmp_path):
    path = tmp_path / "logs" / "a" / "b.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"{}")

    with servers.s3_process(str(tmp_path)) as started:
        client = client_of(started["url"])

        assert client.get_object(Bucket="logs", Key="a/b.json")["Body"].read() == b"{}"
        client.close()
