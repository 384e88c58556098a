"""Probes of job events: what the account publishes, the rules that take it, and the queues that it comes to.

AWS IoT answers about a rule that is not there as if it were denied (API reference, GetTopicRule), which tells nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import msgspec

from adapters.aws.probes.account import Account
from adapters.aws.probes.made import Made
from adapters.aws.probes.reading import Reading
from adapters.made import Faults, unless

VARIABLE = "enable_events"
SINGLETONS = "manage_account_singletons"
TYPES = ("JOB", "JOB_EXECUTION")
QUEUE = "sqs:GetQueueAttributes"
Attributes = Mapping[str, str]


class Redrive(msgspec.Struct, frozen=True, rename="camel"):
    """Where a queue puts what nobody could take."""

    dead_letter_target_arn: str = ""


class SqsAction(msgspec.Struct, frozen=True, rename="camel"):
    """A rule's action that puts into a queue."""

    queue_url: str = ""


class Action(msgspec.Struct, frozen=True):
    """One action of a rule."""

    sqs: SqsAction | None = None


class Rule(msgspec.Struct, frozen=True, rename="camel"):
    """A rule, as far as it is looked at."""

    rule_disabled: bool = False
    actions: tuple[Action, ...] = ()
    error_action: Action | None = None


def events(at: Account, made: Made) -> Iterator[Reading]:
    """What there is of queues and rules, and the account's event types where there is a queue for them."""
    if made.event_queue_url:
        url = made.event_queue_url
        arn = made.event_queue_arn or at.arn("sqs", _name(url))
        read = partial(_queue, at, url, arn, made.dead_letter_queue_url)
        yield Reading(at, "event_queue_url", f"the queue {_name(url)}", QUEUE, arn, read, VARIABLE)
        types = "iot:DescribeEventConfigurations"
        yield Reading(at, types, "the event types of the account", types, "*", partial(_types, at), SINGLETONS)
    if made.dead_letter_queue_url:
        url = made.dead_letter_queue_url
        arn, read = at.arn("sqs", _name(url)), partial(_dead_letters, at, url)
        yield Reading(at, "dead_letter_queue_url", f"the queue {_name(url)}", QUEUE, arn, read, VARIABLE)
    for rule in made.event_rules:
        read, arn = partial(_rule, at, rule, _urls(made)), at.iot_arn(f"rule/{rule}")
        yield Reading(at, f"event_rules {rule}", f"the rule {rule}", "iot:GetTopicRule", arn, read, VARIABLE)


def _queue(at: Account, url: str, arn: str, dead_letters: str | None) -> Faults:
    found = _attributes(at, url)
    yield from unless(holds=found.get("QueueArn") == arn, needs=f"{url} to be {arn}; it is {found.get('QueueArn')}")
    yield from _encrypted(found, url)
    target = msgspec.json.decode(found.get("RedrivePolicy", "{}"), type=Redrive).dead_letter_target_arn
    wanted = at.arn("sqs", _name(dead_letters)) if dead_letters else target
    yield from unless(
        holds=bool(target) and target == wanted,
        needs=f"a redrive policy of {arn} to {wanted or 'a dead-letter queue'}; it has {target or 'none'}",
    )


def _dead_letters(at: Account, url: str) -> Faults:
    yield from _encrypted(_attributes(at, url), url)


def _encrypted(found: Attributes, url: str) -> Faults:
    holds = found.get("SqsManagedSseEnabled") == "true" or bool(found.get("KmsMasterKeyId"))
    yield from unless(holds=holds, needs=f"encryption of {url}")


def _types(at: Account) -> Faults:
    found = at.iot.describe_event_configurations().get("eventConfigurations", {})
    on = {type_ for type_, told in found.items() if told.get("Enabled")}
    off = [type_ for type_ in TYPES if type_ not in on]
    yield from unless(holds=not off, needs=f"events of the type {' and '.join(off)} enabled", variable=SINGLETONS)


def _rule(at: Account, name: str, urls: Sequence[str | None]) -> Faults:
    found = msgspec.convert(at.iot.get_topic_rule(ruleName=name).get("rule", {}), Rule, strict=False)
    queue, dead_letters = urls
    yield from unless(holds=not found.rule_disabled, needs=f"the rule {name} enabled")
    yield from unless(holds=queue in _targets(found.actions), needs=f"{queue} as target of the rule {name}")
    errors = (found.error_action,) if found.error_action else ()
    yield from unless(
        holds=dead_letters in _targets(errors), needs=f"{dead_letters} as target of errors of the rule {name}"
    )


def _targets(actions: Sequence[Action]) -> frozenset[str | None]:
    return frozenset(action.sqs.queue_url for action in actions if action.sqs)


def _urls(made: Made) -> tuple[str | None, str | None]:
    return made.event_queue_url, made.dead_letter_queue_url


def _attributes(at: Account, url: str) -> Attributes:
    """Raises: ClientError."""
    found: Attributes = at.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"]).get("Attributes", {})
    return found


def _name(url: str) -> str:
    return url.rpartition("/")[2]
