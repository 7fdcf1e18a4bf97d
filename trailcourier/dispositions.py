"""What becomes of an object, by the reason it could not be carried.

Who can repair it decides.  A fault of this one object is ``refused``: its message is left to the
queue's redrive policy and a quarantine entry says why.  A fault that an operator or time repairs
is ``parked``: the object is tried again from the ledger, and SQS is not involved.  This table is
the only such decision; ``docs/dispositions.md`` is rendered from it.
"""

from trailcourier.reasons import SINK, Reason


def _skipped(text: str) -> Reason:
    return Reason("skipped", text, "Nothing to do.")


REASONS: dict[str, Reason] = {
    # nothing to carry
    "already-delivered": _skipped("This object, with this content, was delivered before."),
    "digest": _skipped("A CloudTrail digest file: signatures about log files, no events."),
    "marker": _skipped("The zero-byte object that stands for a folder."),
    "other-service": _skipped("A log file that another AWS service keeps in the same bucket."),
    "non-create": _skipped("An S3 event that announces no new object."),
    "unknown-key-skipped": _skipped('A key of no known shape, and the source says `"skip"`.'),
    # a fault of this one object
    "no-such-key": Reason(
        "refused",
        "The object does not exist.",
        "A lifecycle rule or a person deleted it before it was read. Put it back, then "
        "`trailcourier quarantine retry`.",
        tries=3,
    ),
    "delete-marker": Reason(
        "refused",
        "The version the message names is a delete marker.",
        "The object was deleted. Restore the version, then `trailcourier quarantine retry`.",
    ),
    "changed": Reason(
        "refused",
        "The object is no longer the one that was announced.",
        "It was overwritten; the overwriting was announced on its own.",
    ),
    "too-large": Reason(
        "refused",
        "The object is larger than the source allows, as stored or once inflated, or has a larger "
        "record or more records.",
        "If it is genuine, raise `max_compressed_mib`, `max_inflated_mib`, `max_record_mib` or "
        "`max_records` of the source, then `trailcourier quarantine retry`.",
    ),
    "corrupt": Reason(
        "refused",
        "The object is damaged: a broken gzip stream, or bytes after its end.",
        "Compare with the trail's digest (`aws cloudtrail validate-logs`). Replace it, then "
        "`trailcourier quarantine retry`.",
    ),
    "unparseable": Reason(
        "refused",
        "The object is not a CloudTrail log file: not JSON, no `Records`, or not objects in it.",
        "If another program writes to this prefix, narrow the notification to `.../CloudTrail/`.",
    ),
    "record-too-large": Reason(
        "refused",
        "A record is larger than the sink allows.",
        'Raise the sink\'s `max_record_bytes`, or set `oversize = "truncate"`, then '
        "`trailcourier quarantine retry`.",
    ),
    "rejected-records": Reason(
        "refused",
        "A sink rejected records for their content; the others were delivered.",
        "`trailcourier quarantine show` lists them with the sink's words.",
    ),
    "bucket-not-allowed": Reason(
        "refused",
        "The message names a bucket that the source does not allow.",
        "If the bucket is yours, add it to `buckets` of the source, then `trailcourier quarantine "
        "retry --reason bucket-not-allowed`. If not, somebody else can write to your topic or "
        "queue: check their policies.",
    ),
    "unknown-key": Reason(
        "refused",
        "The key has none of the shapes CloudTrail uses.",
        "For copies under other names set `keys` of the source to globs that match them, or "
        '`unknown_key = "read"` or `"skip"`, then `trailcourier quarantine retry`.',
    ),
    "kills-worker": Reason(
        "refused",
        "The worker process died each time it worked on this object.",
        "Keep the object: it shows a bug. `trailcourier quarantine show` says where it lies.",
    ),
    "quarantined": Reason(
        "refused",
        "The object was refused before: another message, or this one, names it again.",
        "Its entry says why: `trailcourier quarantine list`.",
    ),
    # a fault of a whole message
    "not-understood": Reason(
        "refused",
        "The message body is none of the shapes that announce CloudTrail log files.",
        "See what sends it: `trailcourier quarantine show`. SQS moves it to the dead-letter queue.",
    ),
    "subscription": Reason(
        "refused",
        "Amazon SNS asks to confirm a subscription; only the token in this message can do it.",
        "`trailcourier quarantine show` prints the confirm command. Run it if you expected this.",
    ),
    "too-many-objects": Reason(
        "refused",
        "One message names more objects than a source takes.",
        "No AWS service sends such a message. See what does: `trailcourier quarantine show`.",
    ),
    # a fault that an operator or time repairs
    "access-denied": Reason(
        "parked",
        "AWS denied the read.",
        "Allow `s3:GetObject` on the object (bucket policy and role), and `kms:Decrypt` on its key "
        "if it is encrypted. Without `s3:ListBucket` a missing object looks the same, and so does "
        "a bucket of another account than `expected_bucket_owner` names.",
        "bucket",
        tries=6,
        beside_success=True,
    ),
    "no-such-bucket": Reason(
        "parked", "The bucket does not exist.", "Check the bucket's name and account.", "bucket"
    ),
    "region": Reason(
        "parked",
        'The bucket is in another region than configured (S3 answered 301, "PermanentRedirect").',
        "Set `bucket_region` of the source to the region the message names.",
        "bucket",
    ),
    "archived": Reason(
        "parked",
        "The object is archived (S3 Glacier) and cannot be read before it is restored.",
        "Restore it (`aws s3api restore-object`), or exclude the log prefix from archiving.",
    ),
    "kms": Reason(
        "parked",
        "The key that encrypts the object is disabled, deleted or out of reach.",
        "Enable the key, or allow the role `kms:Decrypt` on it.",
        "bucket",
    ),
    "credentials": Reason(
        "parked",
        "AWS did not accept the credentials.",
        "Check `credentials` of the source: missing, wrong, expired or revoked keys, or a role "
        "that may not be assumed.",
        "credentials",
        may_be_local=True,
    ),
    "instance-metadata": Reason(
        "parked",
        "The EC2 instance's metadata service is there, and its answer does not arrive.",
        "In a container its answers have one hop further to go. Allow it, on the instance: `aws "
        "ec2 modify-instance-metadata-options --instance-id ID --http-put-response-hop-limit 2`. "
        "Or give the container a role of its own.",
        "credentials",
        may_be_local=True,
    ),
    "bucket-credentials": Reason(
        "parked",
        "AWS did not accept the credentials that the source has for this bucket.",
        "Check `bucket_credentials` of the source: missing, wrong, expired or revoked keys, or a "
        "role that may not be assumed. Other buckets go on.",
        "bucket",
        may_be_local=True,
    ),
    "clock-skew": Reason(
        "parked",
        "AWS refused the signature because this machine's clock is off.",
        "Set the clock (NTP) and try again.",
        "credentials",
        may_be_local=True,
    ),
    "throttled": Reason(
        "parked", "AWS asks to slow down.", "Time repairs it; fewer workers help.", "bucket"
    ),
    "aws-error": Reason(
        "parked",
        "AWS failed on its side.",
        "Time repairs it; if it stays, see the AWS Health Dashboard for the region.",
        "bucket",
    ),
    "network": Reason(
        "parked",
        "AWS could not be reached, or the connection broke.",
        "Check DNS, routes, proxy and TLS to the endpoint the message names.",
        "bucket",
        may_be_local=True,
    ),
    "not-aws": Reason(
        "parked",
        "Something other than AWS answered: the page of a portal or a proxy, or another service.",
        "The detail says which host, and how it begins. Log in to the portal, have the proxy let "
        "AWS's hosts through unread, or correct `AWS_ENDPOINT_URL` and its like.",
        "bucket",
        may_be_local=True,
    ),
    "cut-short": Reason(
        "parked",
        "The transfer ended before all bytes had come.",
        "Time repairs it; if it stays, look for a proxy that cuts connections.",
        "bucket",
        may_be_local=True,
    ),
    "s3-error": Reason(
        "parked",
        "S3 answered with an error that has no entry here.",
        "Its own code and words say why.",
        "bucket",
    ),
    "queue-denied": Reason(
        "parked",
        "AWS denied a call to the queue.",
        "Allow what the detail names: `sqs:ReceiveMessage` and `sqs:DeleteMessage` at least. An "
        "unknown queue of another account looks the same.",
        "queue",
    ),
    "no-such-queue": Reason(
        "parked",
        "There is no such queue in the region asked.",
        "Check `queue_url` of the source, and `queue_region` if it is set.",
        "queue",
    ),
    "queue-key": Reason(
        "parked",
        "The key that encrypts the queue is disabled, deleted or out of reach.",
        "Enable the key, or allow the source's credentials `kms:Decrypt` on it.",
        "queue",
    ),
    "queue-error": Reason(
        "parked",
        "SQS answered with an error that has no entry here.",
        "Its own code and words say why.",
        "queue",
    ),
    **SINK,
    "breaker-open": Reason(
        "parked",
        "Others failed here just now; this one was not tried.",
        "`trailcourier status` names the open breaker and what opened it.",
    ),
    "unknown-source": Reason(
        "parked",
        "This worker's configuration does not know the source.",
        "Give every worker the same configuration; see the README on changing a running fleet.",
    ),
    "worker-config": Reason(
        "parked",
        "This worker cannot open what the source needs.",
        "The detail says what is missing on that host, such as an AWS profile. Provide it there.",
    ),
    "internal": Reason(
        "parked",
        "Something happened that Trailcourier does not know: a bug.",
        "Please report it with the detail. Run with `--debug` to see the traceback.",
        tries=5,
    ),
    # not done, and nobody's fault
    "held": Reason("parked", "Another copy is at work on it.", "Nothing to do."),
    "stopping": Reason("parked", "The worker is stopping.", "Nothing to do."),
}


def advice(reason: str, breaker: str = "") -> str:
    """What to do about *reason*, and nothing about one of another version.

    *breaker*, by the name it has in the ledger, says which sink it is about, if one.
    """
    told = REASONS[reason].advice if reason in REASONS else ""
    kind, _, name = breaker.partition(":")
    return told.replace("sink test NAME", f"sink test {name}") if kind == "sink" else told
