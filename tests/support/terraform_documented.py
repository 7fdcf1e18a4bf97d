"""The arguments that Terraform's AWS provider documents for the resources that an export uses.

Copied by name from the provider's own documentation, ``website/docs/r/RESOURCE.html.markdown`` of
the repository hashicorp/terraform-provider-aws (pages of 2023 to 2026; `region` since version 6).
Arguments of nested blocks are written ``block.argument``.
"""

META = {
    "depends_on",
    "lifecycle",
    "lifecycle.prevent_destroy",
}  # of Terraform itself, in every resource
ARGUMENTS = {
    "aws_kms_key": "region description policy tags enable_key_rotation deletion_window_in_days",
    "aws_sqs_queue": """region name visibility_timeout_seconds message_retention_seconds
        receive_wait_time_seconds redrive_policy redrive_allow_policy sqs_managed_sse_enabled
        kms_master_key_id kms_data_key_reuse_period_seconds max_message_size delay_seconds tags""",
    "aws_sqs_queue_policy": "region queue_url policy",
    "aws_s3_bucket": "region bucket bucket_prefix force_destroy object_lock_enabled tags",
    "aws_s3_bucket_versioning": """region bucket versioning_configuration
        versioning_configuration.status mfa""",
    "aws_s3_bucket_object_lock_configuration": """region bucket object_lock_enabled rule
        rule.default_retention rule.default_retention.mode rule.default_retention.days""",
    "aws_s3_bucket_lifecycle_configuration": """region bucket rule rule.id rule.status rule.filter
        rule.filter.prefix rule.expiration rule.expiration.days rule.noncurrent_version_expiration
        rule.noncurrent_version_expiration.noncurrent_days""",
    "aws_s3_bucket_public_access_block": """region bucket block_public_acls block_public_policy
        ignore_public_acls restrict_public_buckets skip_destroy""",
    "aws_s3_bucket_policy": "region bucket policy",
    "aws_s3_bucket_notification": """region bucket eventbridge queue queue.id queue.queue_arn
        queue.events queue.filter_prefix queue.filter_suffix""",
    "aws_sns_topic": "region name display_name policy delivery_policy kms_master_key_id tags",
    "aws_sns_topic_policy": "region arn policy",
    "aws_sns_topic_subscription": """region topic_arn protocol endpoint raw_message_delivery
        filter_policy redrive_policy""",
    "aws_cloudtrail": """region name s3_bucket_name s3_key_prefix sns_topic_name kms_key_id
        enable_logging include_global_service_events is_multi_region_trail is_organization_trail
        enable_log_file_validation tags event_selector event_selector.read_write_type
        event_selector.include_management_events event_selector.data_resource
        event_selector.data_resource.type event_selector.data_resource.values""",
    "aws_cloudwatch_event_rule": "region name event_pattern description event_bus_name tags",
    "aws_cloudwatch_event_target": "region rule target_id arn event_bus_name input role_arn",
    "aws_iam_group": "name path",
    "aws_iam_group_policy": "name name_prefix group policy",
    "aws_iam_user": "name path permissions_boundary force_destroy tags",
    "aws_iam_user_group_membership": "user groups",
    "aws_iam_role": """name assume_role_policy description path permissions_boundary
        max_session_duration tags""",
    "aws_iam_role_policy": "name name_prefix role policy",
    "aws_iam_instance_profile": "name name_prefix path role tags",
}
REQUIRED = {
    "aws_sqs_queue_policy": "queue_url policy",
    "aws_s3_bucket_public_access_block": "bucket",
    "aws_s3_bucket_policy": "bucket policy",
    "aws_s3_bucket_notification": "bucket",
    "aws_s3_bucket_versioning": "bucket versioning_configuration",
    "aws_s3_bucket_object_lock_configuration": "bucket",
    "aws_s3_bucket_lifecycle_configuration": "bucket rule",
    "aws_sns_topic_policy": "arn policy",
    "aws_sns_topic_subscription": "topic_arn protocol endpoint",
    "aws_cloudtrail": "name s3_bucket_name",
    "aws_cloudwatch_event_target": "rule arn",
    "aws_iam_group": "name",
    "aws_iam_group_policy": "group policy",
    "aws_iam_user": "name",
    "aws_iam_user_group_membership": "user groups",
    "aws_iam_role": "assume_role_policy",
    "aws_iam_role_policy": "role policy",
}
