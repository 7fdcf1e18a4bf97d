"""The workers: ``celery -A tasks worker -Q control`` and ``-Q objects``.

Overrides these parts of Celery and kombu that are private, or public without a promise.  A test
holds that each exists and that the versions are those that are installed: check each by reading
its source when a version changes.

celery 5.7.0
    celery.backends.redis: CHORD_CLEANUP_LUA CHORD_PART_RETURN_LUA
    celery.backends.redis.RedisBackend: _get_pool _chord_part_return_script
        _chord_publish_claim_expires _chord_cleanup_script on_chord_part_return on_task_call
        add_pending_result remove_pending_result ensure client
    celery.worker.strategy: default
    celery.worker.state: task_ready reserved_requests
    celery.worker.consumer.Consumer: update_strategies on_unknown_message on_unknown_task
        on_invalid_task on_decode_error on_connection_error_after_connected
        on_send_event_buffered _flush_events stop call_soon_ack
    celery.worker.request.Request: send_event request_dict argsrepr kwargsrepr on_accepted
        on_success on_failure
    celery.apps.worker.Worker: install_platform_tweaks on_consumer_ready
    celery.app.control.Control: Mailbox
    celery.beat.Scheduler: setup_schedule tick apply_entry

kombu 5.7.0
    kombu.pidbox.Node: handle
    kombu.pidbox.Mailbox: node_cls
    kombu.transport.redis: REFRESH_BINDING Mutex MutexHeld
    kombu.transport.redis.Channel: _connparams conn_or_acquire _create_client _brpop_start
        _receive_one _deliver_fanout_message _basic_cancel _put _size _queue_bind _q_for_pri
        get_table
    kombu.transport.redis.QoS: append restore_visible restore_by_tag
    kombu.transport.redis.MultiChannelPoller: on_poll_start
    kombu.transport.redis.Transport: register_with_event_loop _deliver
    kombu.transport.virtual.QoS: ack can_consume_max_estimate
"""
