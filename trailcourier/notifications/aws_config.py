"""AWS Config's notices: it shares CloudTrail's topic where Control Tower set both up."""

from typing import Any

from trailcourier.notifications.notice import Notification, refuse, shown

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


def notice(value: dict[str, Any]) -> Notification:
    """Recognise a notice of AWS Config by its messageType."""
    kind = value["messageType"]
    if not isinstance(kind, str) or kind not in MESSAGE_TYPES:
        refuse(f"the messageType {shown(kind)} is none of AWS Config's")
    return Notification("aws-config", unread="aws-config")
