"""The channels that a device can have, by the name of the cloud. A cloud's SDK is imported only when it is chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agent.cloud.channel import Channel
from bridge.release.errors import ChannelError

Settings = Mapping[str, object]


def open_channel(cloud: str, settings: Settings) -> Channel:
    """The channel to `cloud`, which connects at its first use. `settings` are the fields of that cloud's channel.

    Raises:
        ChannelError: final; an unknown cloud, one whose SDK is not installed, or a field that is wrong.
    """
    opener = OPENERS.get(cloud)
    if opener is None:
        raise ChannelError(f"channel: no cloud is named {cloud!r}; there is {', '.join(OPENERS)}", retryable=False)
    try:
        return opener(settings)
    except ModuleNotFoundError as error:
        raise ChannelError(
            f"channel: the SDK of {cloud} is not installed ({error.name}): pip install 'otabridge[device-{cloud}]'",
            retryable=False,
        ) from error


def _aws(settings: Settings) -> Channel:
    from adapters.aws.device import open_channel as opened

    return opened(settings)


def _azure(settings: Settings) -> Channel:
    from adapters.azure.device import open_channel as opened

    return opened(settings)


OPENERS: Mapping[str, Callable[[Settings], Channel]] = {"aws": _aws, "azure": _azure}
