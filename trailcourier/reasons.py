"""The table of reasons: why an object or message was not delivered, and what follows from it.

Who can repair the fault decides the status.  A fault of this one object is ``refused``: its message
is left to the queue's redrive policy, and a quarantine entry says why.  A fault that an operator or
time repairs is ``parked``: the object is retried from the ledger, without SQS.  No other code
decides this; ``docs/dispositions.md`` is rendered from this table.  ``reason_names.ReasonName`` has
the same names as a type.
"""

from trailcourier.breaker_name import BreakerName
from trailcourier.sink_reasons import SINK_REASONS, Reason


def _skipped(text: str) -> Reason:
    return Reason("skipped", text, "Nothing to do.")


REASONS: dict[str, Reason] = {
    # nothing to deliver
    "already-delivered": _skipped("This object was delivered before, with the same content."),
    "digest": _skipped("A CloudTrail digest file: it has signatures of log files, no events."),
    "marker": _skipped("A zero-byte object that stands for a folder."),
    "other-service": _skipped("A log file of another AWS service in the same bucket."),
    "non-create": _skipped("An S3 event that announces no new object."),
    "unknown-key-skipped": _skipped(
        'The key has none of the shapes CloudTrail uses, and the source has `unknown_key = "skip"`.'
    ),
    # a fault of this one object
    "no-such-key": Reason(
        "refused",
        "The object does not exist.",
        "Restore it, then run `trailcourier quarantine retry`. A lifecycle rule or a person "
        "deleted it before it was read.",
        tries=3,
    ),
    "delete-marker": Reason(
        "refused",
        "The version the message names is a delete marker.",
        "Restore the version, which was deleted, then run `trailcourier quarantine retry`.",
    ),
    "changed": Reason(
        "refused",
        "The object was overwritten after it was announced.",
        "Nothing to do: the new content was announced by its own message.",
    ),
    "too-large": Reason(
        "refused",
        "The object is larger than the source allows, compressed or inflated, or has a larger "
        "record or more records than allowed.",
        "If it is genuine, raise `max_compressed_mib`, `max_inflated_mib`, `max_record_mib` or "
        "`max_records` of the source, then run `trailcourier quarantine retry`.",
    ),
    "corrupt": Reason(
        "refused",
        "The object is damaged: a broken gzip stream, or bytes after its end.",
        "Compare it with the trail's digest (`aws cloudtrail validate-logs`). Replace it, then run "
        "`trailcourier quarantine retry`.",
    ),
    "unparseable": Reason(
        "refused",
        "The object is not a CloudTrail log file: it is not JSON, has no `Records`, or these are "
        "not JSON objects.",
        "Find out what wrote it. If another program writes to this prefix, narrow the bucket's "
        "notification to `.../CloudTrail/`.",
    ),
    "record-too-large": Reason(
        "refused",
        "A record is larger than the sink allows.",
        'Raise the sink\'s `max_record_bytes`, or set `oversize = "truncate"`, then run '
        "`trailcourier quarantine retry`.",
    ),
    "rejected-records": Reason(
        "refused",
        "A sink rejected records for their content; the others were delivered.",
        "Read the sink's answer to each record in the quarantine entry, and correct the sink's "
        "settings or limits. Then run `trailcourier quarantine retry`.",
    ),
    "bucket-not-allowed": Reason(
        "refused",
        "The message names a bucket that the source does not allow.",
        "If the bucket is yours, add it to `buckets` of the source, then run `trailcourier "
        "quarantine retry --reason bucket-not-allowed`. If not, somebody else can write to your "
        "topic or queue: check their policies.",
    ),
    "unknown-key": Reason(
        "refused",
        "The key has none of the shapes CloudTrail uses.",
        "For copies under other names set `keys` of the source to globs that match them, or "
        '`unknown_key = "read"` or `"skip"`, then run `trailcourier quarantine retry`.',
    ),
    "kills-worker": Reason(
        "refused",
        "The worker process died each time it worked on this object.",
        "Keep the object that the quarantine entry names: it shows a bug. Please report it with "
        "the worker's log.",
    ),
    "quarantined": Reason(
        "refused",
        "The object was refused before, and a message names it again.",
        "Repair what its quarantine entry says, then run `trailcourier quarantine retry`.",
    ),
    # a fault of a whole message
    "not-understood": Reason(
        "refused",
        "The message body has none of the formats that announce CloudTrail log files.",
        "Have the sender that the quarantine entry names use another queue; the entry has the "
        "message's beginning too. SQS moves the message to the dead-letter queue, if there is one.",
    ),
    "subscription": Reason(
        "refused",
        "Amazon SNS asks to confirm a subscription; only the token in this message can confirm it.",
        "If you expected the subscription, run the confirm command in the quarantine entry. If "
        "not, check the queue's policy.",
    ),
    "too-many-objects": Reason(
        "refused",
        "One message names more objects than a source takes.",
        "Check who may write to the queue: no AWS service sends such a message, and the quarantine "
        "entry names the sender.",
    ),
    # a fault that an operator or time repairs
    "access-denied": Reason(
        "parked",
        "AWS denied access to the object.",
        "Allow `s3:GetObject` on the object (bucket policy and role), and `kms:Decrypt` on its key "
        "if it is encrypted. A missing object without `s3:ListBucket`, and a bucket that "
        "`expected_bucket_owner` does not own, look the same.",
        "bucket",
        tries=6,
        only_if_others_succeed=True,
    ),
    "no-such-bucket": Reason(
        "parked",
        "The bucket does not exist.",
        "Check the bucket's name and account, or restore the bucket.",
        "bucket",
    ),
    "region": Reason(
        "parked",
        'The bucket is in another region than configured (S3 answered 301, "PermanentRedirect").',
        "Set `bucket_region` of the source to the region that the detail names.",
        "bucket",
    ),
    "archived": Reason(
        "parked",
        "The object is archived (S3 Glacier) and cannot be read before it is restored.",
        "Restore it (`aws s3api restore-object`), and exclude the log prefix from archiving.",
    ),
    "kms": Reason(
        "parked",
        "The KMS key that encrypts the object is disabled, deleted or not accessible.",
        "Enable the key, or allow the role `kms:Decrypt` on it.",
        "bucket",
    ),
    "credentials": Reason(
        "parked",
        "AWS did not accept the credentials.",
        "Correct `credentials` of the source: the keys are missing, wrong, expired or revoked, or "
        "the role may not be assumed.",
        "credentials",
        may_be_local=True,
    ),
    "instance-metadata": Reason(
        "parked",
        "The EC2 instance's metadata service accepts connections, but its answer does not arrive.",
        "In a container the answer needs one more network hop. Allow it: `aws ec2 "
        "modify-instance-metadata-options --instance-id ID --http-put-response-hop-limit 2`. Or "
        "give the container its own role.",
        "credentials",
        may_be_local=True,
    ),
    "bucket-credentials": Reason(
        "parked",
        "AWS did not accept the credentials that the source has for this bucket.",
        "Correct `bucket_credentials` of the source: the keys are missing, wrong, expired or "
        "revoked, or the role may not be assumed. Other buckets go on.",
        "bucket",
        may_be_local=True,
    ),
    "clock-skew": Reason(
        "parked",
        "AWS refused the signature because this host's clock is wrong.",
        "Set the host's clock, and keep it right with NTP.",
        "credentials",
        may_be_local=True,
    ),
    "throttled": Reason(
        "parked",
        "AWS asks for fewer requests.",
        "Trailcourier retries by itself. If it persists, run fewer workers.",
        "bucket",
    ),
    "aws-error": Reason(
        "parked",
        "AWS answered with an internal error.",
        "Trailcourier retries by itself. If it persists, see the AWS Health Dashboard of the "
        "region.",
        "bucket",
    ),
    "network": Reason(
        "parked",
        "AWS could not be reached, or the connection broke.",
        "Check DNS, routes, proxy and TLS to the endpoint that the detail names.",
        "bucket",
        may_be_local=True,
    ),
    "not-aws": Reason(
        "parked",
        "Something other than AWS answered: a login portal, a proxy or another service.",
        "The detail has the host and the start of the answer. Log in to the portal, have the proxy "
        "pass AWS's hosts through unchanged, or correct `AWS_ENDPOINT_URL` and the like.",
        "bucket",
        may_be_local=True,
    ),
    "cut-short": Reason(
        "parked",
        "The transfer ended before all bytes arrived.",
        "Trailcourier retries by itself. If it persists, look for a proxy or firewall that cuts "
        "connections.",
        "bucket",
        may_be_local=True,
    ),
    "s3-error": Reason(
        "parked",
        "S3 answered with an error that Trailcourier does not know.",
        "Look up the error code of the detail in Amazon S3's API reference.",
        "bucket",
    ),
    "queue-denied": Reason(
        "parked",
        "AWS denied a call to the queue.",
        "Allow what the detail names, at least `sqs:ReceiveMessage` and `sqs:DeleteMessage`. Check "
        "`queue_url` too: a missing queue of another account looks the same.",
        "queue",
    ),
    "no-such-queue": Reason(
        "parked",
        "The queue does not exist in this region.",
        "Correct `queue_url` of the source, and `queue_region` if it is set.",
        "queue",
    ),
    "queue-key": Reason(
        "parked",
        "The KMS key that encrypts the queue is disabled, deleted or not accessible.",
        "Enable the key, or allow the source's credentials `kms:Decrypt` on it.",
        "queue",
    ),
    "queue-error": Reason(
        "parked",
        "SQS answered with an error that Trailcourier does not know.",
        "Look up the error code of the detail in Amazon SQS's API reference.",
        "queue",
    ),
    **SINK_REASONS,
    "breaker-open": Reason(
        "parked",
        "A breaker is open because other objects failed, so this one was not tried.",
        "Follow the advice for the open breaker. Trailcourier retries this object once it closes.",
    ),
    "unknown-source": Reason(
        "parked",
        "This worker's configuration does not know the source.",
        "Give every worker the same configuration file, and restart those that have the old one.",
    ),
    "worker-config": Reason(
        "parked",
        "This worker cannot open a client or sink that the source needs.",
        "Provide on that host what the detail names, such as an AWS profile.",
    ),
    "internal": Reason(
        "parked",
        "An unexpected error: a bug of Trailcourier.",
        "Please report it with the detail and the traceback in the worker's log.",
        tries=5,
    ),
    # interrupted, and retried; not an error
    "held": Reason("parked", "Another task has the claim on this object.", "Nothing to do."),
    "stopping": Reason("parked", "The worker is stopping.", "Nothing to do."),
}


def advice(reason: str, breaker: str = "") -> str:
    """Return what to do about *reason*; empty for a reason of another version.

    *breaker* is a breaker's name in the ledger.  If it is a sink's, the advice names that sink.
    """
    text = REASONS[reason].advice if reason in REASONS else ""
    name = BreakerName.parse(breaker)
    if name.kind == "sink":
        return text.replace("sink test NAME", f"sink test {name.owner}")
    return text
