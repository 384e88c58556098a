"""What a fleet calls in Azure, opened at the first use: one credential, three of Azure's libraries."""

from __future__ import annotations

from functools import cached_property, partial
from typing import Any
from urllib.parse import urlsplit

from azure.core.pipeline import PipelineRequest, PipelineResponse
from azure.core.pipeline.policies import RetryPolicy, SansIOHTTPPolicy
from azure.core.rest import HttpRequest, HttpResponse
from azure.identity import DefaultAzureCredential
from azure.iot.deviceupdate import DeviceUpdateClient

from adapters.azure.fleet.deployments import Deployments, Paces
from adapters.azure.fleet.job_runner import JobRunner
from adapters.azure.fleet.order_book import OrderBook
from adapters.azure.fleet.pacing import LONGEST_DELAY, Clock, Pace, Patience
from adapters.azure.fleet.settings import AzureFleetSettings
from adapters.azure.fleet.storage import Storage
from adapters.azure.fleet.twins import Twins
from adapters.azure.fleet.updates import Updates


class Services:
    """The services behind one fleet. Nothing is called before the first use."""

    def __init__(self, settings: AzureFleetSettings, clock: Clock) -> None:
        self.settings = settings
        self.clock = clock

    def patience(self) -> Patience:
        """For one call of the fleet."""
        return Patience(self.settings.patience_seconds, self.settings.poll_seconds, self.clock)

    @cached_property
    def storage(self) -> Storage:
        """The container."""
        return Storage(self.settings, self._credential, self.clock)

    @cached_property
    def orders(self) -> OrderBook:
        """The records of orders."""
        return OrderBook(self.storage, f"{self.settings.hub}/{self.settings.instance}")

    @cached_property
    def twins(self) -> Twins:
        """The hub."""
        pace = Pace(self.settings.queries_per_minute, self.clock)
        return Twins(self.settings.hub, self._credential, pace, self.clock)

    @cached_property
    def jobs(self) -> JobRunner:
        """Jobs of the hub, written down."""
        return JobRunner(self.twins, self.orders)

    @cached_property
    def updates(self) -> Updates:
        """The updates of the instance."""
        return Updates(self._client, self.storage, self.clock, self.settings.sas_hours)

    @cached_property
    def deployments(self) -> Deployments:
        """Groups and deployments of the instance."""
        changes, looks = self.settings.creates_per_minute, self.settings.reads_per_minute
        pace = partial(Pace, clock=self.clock)
        return Deployments(self._client, Paces(pace(changes), pace(changes), pace(changes), pace(looks)))

    @property
    def device_update(self) -> DeviceUpdateClient:
        """The library's own client of the instance, for calls that a rollout does not make."""
        return self._client

    @cached_property
    def _credential(self) -> DefaultAzureCredential:
        return DefaultAzureCredential()

    @cached_property
    def _client(self) -> DeviceUpdateClient:
        elsewhere = [_Elsewhere(self.settings.adu_url)] if self.settings.adu_url else []
        return DeviceUpdateClient(
            endpoint=self.settings.endpoint,
            instance_id=self.settings.instance,
            credential=self._credential,
            per_retry_policies=elsewhere,
            retry_policy=_BoundedRetry(retry_total=3, retry_backoff_factor=0.5),
        )


class _BoundedRetry(RetryPolicy[HttpRequest, HttpResponse]):
    """Honours Retry-After, and no longer than anybody should be kept waiting without a word."""

    def get_retry_after(self, response: PipelineResponse[Any, Any]) -> float | None:
        seconds = super().get_retry_after(response)
        return None if seconds is None else min(seconds, LONGEST_DELAY)


class _Elsewhere(SansIOHTTPPolicy[HttpRequest, HttpResponse]):
    """Sends the requests to another address; the library takes host names only, without a port."""

    def __init__(self, url: str) -> None:
        self._there = urlsplit(url)

    def on_request(self, request: PipelineRequest[HttpRequest]) -> None:
        parts = urlsplit(request.http_request.url)
        request.http_request.url = parts._replace(scheme=self._there.scheme, netloc=self._there.netloc).geturl()
