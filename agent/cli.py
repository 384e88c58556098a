"""The command `otabridge-agent`. Results to stdout, all else to stderr; errors are one sentence, never a traceback."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from types import FrameType

from agent.cloud.folder import offer_in
from agent.cloud.uplink import UnopenedChannel
from agent.config import DEFAULT_PATH, PATH_VARIABLE, AgentConfig, load
from agent.examine import examine
from agent.local.wording import MOST_MINUTES
from agent.pace import StopRequested
from agent.permit.answers import Said
from agent.permit.consent import LATER_MINUTES
from agent.ports import Concluded, Halt
from agent.printing import Printer
from agent.service import ONCE_SECONDS
from agent.slot_writer import serve
from agent.version import agent_version
from agent.wiring import Agent, build, sole, spokesman_of
from bridge.release.errors import OtabridgeError

Arguments = argparse.Namespace
Handler = Callable[[AgentConfig, Arguments, Printer], int]

MAX_SECONDS = 86400
UNINSTALLED = "unknown: runs from a checkout that is not installed"
INTERRUPTED = 130
"""As a shell counts it: 128 and the number of SIGINT."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit code is described in `docs/reference/agent-cli.md`."""
    chosen = build_parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    handler: Handler = chosen.handler
    try:
        return handler(load(chosen.config), chosen, Printer(json=chosen.output == "json"))
    except UnopenedChannel as error:
        return _complain(error, 2)
    except OtabridgeError as error:
        return _complain(error, error.exit_code)
    except OSError as error:
        return _complain(error, 1)
    except (StopRequested, KeyboardInterrupt):
        return INTERRUPTED


def _complain(error: Exception, code: int) -> int:
    sys.stderr.write(f"otabridge-agent: {error}\n")
    return code


def build_parser() -> argparse.ArgumentParser:
    """The command line; the reference pages are made from it, too."""
    parser = argparse.ArgumentParser(
        prog="otabridge-agent", description="Installs signed releases into the slot that does not run."
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {agent_version() or UNINSTALLED}", help="print the version"
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        default=Path(os.environ.get(PATH_VARIABLE) or DEFAULT_PATH),
        help=f"the agent's configuration; {PATH_VARIABLE}, else {DEFAULT_PATH}",
    )
    parser.add_argument("--output", choices=("text", "json"), default="text", help="text for people, json for programs")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_working(commands)
    _add_asking(commands)
    return parser


def _add_working(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    _add(commands, "run", _run, "install each offer of the cloud, until told to stop")
    _add(commands, "slot-writer", _slot_writer, "write the slots for an agent that may not, until nobody asks")
    once = _add(commands, "once", _once, "handle at most one offer, then end")
    once.add_argument(
        "--timeout", type=_seconds, default=ONCE_SECONDS, metavar="SECONDS", help="how long to wait for an offer"
    )
    install = _add(commands, "install", _install, "install from a release folder, without a cloud")
    install.add_argument("folder", type=Path, metavar="DIR", help="the folder with release.json and its artifacts")
    _add(commands, "commit", _commit, "declare the trial boot good without waiting for its health checks")
    _add(commands, "rollback", _rollback, "go back to the release in the other slot")
    _add(commands, "lift", _lift, "let releases be tried again that are in quarantine")


def _add_asking(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    _add(commands, "status", _status, "show slots, releases and the update under way")
    consent = _add(commands, "consent", _consent, "say yes, no or not now to the update that waits")
    consent.add_argument("answer", choices=[said.value for said in Said], help="later: not now")
    consent.add_argument(
        "--minutes", type=_minutes, default=LATER_MINUTES, metavar="MINUTES", help="for how long, with later"
    )
    check = _add(commands, "check", _check, "look at all that an update will need; changes nothing")
    check.add_argument("--online", action="store_true", help="also connect to the cloud and ask for an offer")


def _add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser], name: str, handler: Handler, words: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=words, description=words[0].upper() + words[1:] + ".")
    parser.set_defaults(handler=handler)
    return parser


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value <= MAX_SECONDS:
        raise argparse.ArgumentTypeError(f"{text} is not within 0 to {MAX_SECONDS} seconds")
    return value


def _minutes(text: str) -> int:
    value = int(text)
    if not 1 <= value <= MOST_MINUTES:
        raise argparse.ArgumentTypeError(f"{text} is not within 1 to {MOST_MINUTES} minutes")
    return value


def _run(config: AgentConfig, _: Arguments, printer: Printer) -> int:
    def run(agent: Agent) -> int:
        with agent.herald.listening(), agent.staying():
            halt = agent.service.run()
        return 0 if halt is None else printer.halt(halt)

    return _at_work(config, run)


def _slot_writer(config: AgentConfig, _: Arguments, __: Printer) -> int:
    serve(config)
    return 0


def _once(config: AgentConfig, chosen: Arguments, printer: Printer) -> int:
    return _at_work(config, lambda agent: printer.halt(agent.service.once(chosen.timeout)))


def _install(config: AgentConfig, chosen: Arguments, printer: Printer) -> int:
    offer = offer_in(chosen.folder)
    return _at_work(config, lambda agent: printer.halt(agent.engine.install(agent.herald, offer)), from_folder=True)


def _commit(config: AgentConfig, _: Arguments, printer: Printer) -> int:
    def commit(agent: Agent) -> Halt:
        halt = agent.engine.commit()
        # The engine knows no channel here; resuming it delivers the report.
        return agent.engine.resume(agent.herald) if isinstance(halt, Concluded) else halt

    return _at_work(config, lambda agent: printer.halt(commit(agent)))


def _rollback(config: AgentConfig, _: Arguments, printer: Printer) -> int:
    return _at_work(config, lambda agent: printer.halt(agent.engine.rollback()))


def _lift(config: AgentConfig, _: Arguments, printer: Printer) -> int:
    return _at_work(config, lambda agent: printer.lifted(agent.engine.lift()))


def _status(config: AgentConfig, _: Arguments, printer: Printer) -> int:
    agent = build(config)
    status = agent.engine.status()
    printer.status(status, agent.local.status(status))
    return 0


def _consent(config: AgentConfig, chosen: Arguments, printer: Printer) -> int:
    printer.said(spokesman_of(config).say(Said(chosen.answer), chosen.minutes))
    return 0


def _check(config: AgentConfig, chosen: Arguments, printer: Printer) -> int:
    return printer.findings(examine(config, online=chosen.online))


def _at_work(config: AgentConfig, work: Callable[[Agent], int], *, from_folder: bool = False) -> int:
    """Do `work` alone on this device, stopping at the next block when a signal asks for it."""
    with sole(config):
        agent = build(config, from_folder=from_folder)
        _stop_on_signal(agent)
        with closing(agent.uplink):
            return work(agent)


def _stop_on_signal(agent: Agent) -> None:
    def stop(_: int, __: FrameType | None) -> None:
        agent.heartbeat.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)


if __name__ == "__main__":
    sys.exit(main())
