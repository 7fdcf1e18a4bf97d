"""AWS Config's notices, which arrive on CloudTrail's topic if Control Tower set up both."""

from typing import Any

from trailcourier.notifications.notice import Notification, quote, refuse

MESSAGE_TYPES = frozenset(  # "How AWS Config Works" of its developer guide
    {
        "ComplianceChangeNotification",
        "ConfigRulesEvaluationStarted",
        "ConfigurationHistoryDeliveryCompleted",
        "ConfigurationItemChangeNotification",
        "ConfigurationSnapshotDeliveryCompleted",
        "ConfigurationSnapshotDeliveryFailed",
        "ConfigurationSnapshotDeliveryStarted",
        "OversizedConfigurationItemChangeDeliveryFailed",
        "OversizedConfigurationItemChangeNotification",
    }
)


def read_notice(value: dict[str, Any]) -> Notification:
    """Recognise a notice of AWS Config by its messageType; it announces no log."""
    kind = value["messageType"]
    if not isinstance(kind, str) or kind not in MESSAGE_TYPES:
        refuse(f"the messageType {quote(kind)} is not one of AWS Config's")
    return Notification("aws-config", no_log="aws-config")
