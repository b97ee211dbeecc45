"""Writes what happens in a run as JSON lines to COMPTA_EVENTS_FILE.

Only names, outcomes, times and the message of a failure: never a task's arguments or
its result, which may hold secrets.
"""

from __future__ import annotations

import json
import os
import time

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: compta_events
type: notification
short_description: Events of a run as JSON lines
description: One JSON object a line, for action-ansible to read.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "compta_events"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self):
        super().__init__()
        # A message may quote a secret until action-ansible has redacted it: for this user only.
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        descriptor = os.open(os.environ["COMPTA_EVENTS_FILE"], flags, 0o600)
        self._file = open(descriptor, "a", encoding="utf-8")
        self._started = {}
        self._begun = {}

    def _write(self, **event):
        self._file.write(json.dumps(event) + "\n")
        self._file.flush()

    def _result(self, outcome, result, **more):
        task, host = result.task, result.host.get_name()
        path, _, line = (task.get_path() or "").rpartition(":")
        ended = time.time()
        self._write(
            event="result",
            outcome=outcome,
            host=host,
            task=task.get_name(),
            path=path,
            line=int(line or 0),
            changed=bool(result.result.get("changed", False)),
            start=self._started.get((host, task._uuid), ended),
            end=ended,
            **more,
        )

    def v2_playbook_on_start(self, playbook):
        self._begun = {play._uuid: [] for play in playbook.get_plays()}

    def v2_playbook_on_play_start(self, play):
        # Once for each batch (`serial`), with a copy of the play.
        self._begun[play._uuid].append((play, _hosts(play, "ansible_play_batch")))

    def v2_runner_on_start(self, host, task):
        self._started[(host.get_name(), task._uuid)] = time.time()
        self._write(event="start", host=host.get_name(), task=task.get_name())

    def v2_runner_on_ok(self, result):
        self._result("ok", result)

    def v2_runner_on_skipped(self, result):
        self._result("skipped", result)

    def v2_runner_on_failed(self, result, ignore_errors=False):
        hidden = result.result.get("_ansible_no_log") or result.task.no_log
        message = "hidden by no_log" if hidden else _message(result.result)
        self._result("ignored" if ignore_errors else "failed", result, message=message)

    def v2_runner_on_unreachable(self, result):
        self._result("unreachable", result, message=_message(result.result))

    def v2_playbook_on_stats(self, stats):
        hosts = {host: stats.summarize(host) for host in sorted(stats.processed)}
        self._write(event="stats", hosts=hosts)
        self._write(event="end", complete=self._complete(set(stats.dark)))

    def _complete(self, lost):
        """Whether each play came to its end on all of its hosts but those that were lost.

        Ansible ends the whole playbook when every host of a batch is lost, and a play at a
        loss under any_errors_fatal or run_once.
        """
        for batches in self._begun.values():
            if not batches:
                return False
            finished = set()
            for play, batch in batches:
                finished |= batch & _hosts(play, "ansible_play_hosts")
            if _hosts(batches[0][0], "ansible_play_hosts_all") - finished - lost:
                return False
        return True


def _hosts(play, variable):
    return set(play.get_variable_manager().get_vars(play=play)[variable])


def _message(result):
    """What went wrong; of a loop, with each item that failed."""
    items = [one for one in result.get("results") or [] if isinstance(one, dict)]
    failed = [one for one in items if one.get("failed")]
    if failed:
        return "\n".join(f"{_label(one)}: {_message(one)}" for one in failed)
    parts = [result.get("msg"), result.get("stderr"), result.get("module_stderr")]
    return "\n".join(str(part) for part in parts if part) or "no message"


def _label(result):
    return result.get("_ansible_item_label", result.get("item"))
