"""Functions that a workflow names by their dotted path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from importlib import import_module
from typing import Any

from airflow_outreach_provider.core.arguments import check_handler
from airflow_outreach_provider.core.errors import ConfigurationError
from airflow_outreach_provider.core.events import ContactEvent
from airflow_outreach_provider.core.masking import mask_text


def import_function(path: str) -> Callable[..., Any]:
    """The function a dotted path names.

    :raises ConfigurationError: there is no such module or function.
    """
    module_name, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module_name), name, None)
    except ImportError as error:
        raise ConfigurationError(
            f"{path} cannot be imported: {error}", "put the module on the workers' Python path"
        ) from error
    except (Exception, SystemExit) as error:  # a module runs when it is imported, and may do anything
        raise ConfigurationError(
            f"{path} cannot be imported: {type(error).__name__}: {mask_text(str(error))}", "mend the module"
        ) from error
    if not callable(found):
        raise ConfigurationError(f"{module_name} has no function {name!r}", "check the name in the workflow")
    return found


def import_handler(path: str) -> Callable[..., Any]:
    """The same, of one that events are given to.

    :raises ConfigurationError: it does not take one.
    """
    found = import_function(path)
    check_handler(path, found, {})
    return found


class CallFunction:
    """``deliver: {python: package.module.function}``; imported when the first event comes."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __call__(self, event: ContactEvent) -> Any:
        return import_handler(self.path)(event)


class NotifyEvent:
    """``deliver: {notifier: …}``: the class is imported, and a notifier made, for each event.

    What a notifier raises is the event's failure, which is tried again like any other.
    """

    def __init__(self, path: str, arguments: Mapping[str, Any]) -> None:
        self.path, self.arguments = path, dict(arguments)

    def __call__(self, event: ContactEvent) -> None:
        from airflow.sdk import BaseNotifier, get_current_context

        made = import_function(self.path)
        if not (isinstance(made, type) and issubclass(made, BaseNotifier)):
            raise ConfigurationError(
                f"{self.path} is no notifier", "name a class that Airflow calls a notifier"
            )
        try:
            notifier = made(**deepcopy(self.arguments))  # rendering changes them in place
        except TypeError as error:
            raise ConfigurationError(
                f"{self.path} does not take these arguments: {error}", "see its documentation"
            ) from error
        notifier({**get_current_context(), "event": event.to_dict()})


def calling(path: str) -> Callable[[Any], Any]:
    """A callback that imports its function only when it is called: parsing stays cheap."""

    def callback(context: Any) -> Any:
        return import_function(path)(context)

    callback.__name__ = callback.__qualname__ = path.rpartition(".")[2]
    return callback
