"""Renders a timeline as a Mermaid sequence diagram."""

import re
from collections.abc import Iterator

from order_sagas.system.trace.phrases import phrase
from order_sagas.system.trace.timeline import SagaTimeline, Timeline, Transition, sent


def render_mermaid(timeline: Timeline) -> str:
    """Return one diagram, in which each saga and each of its steps is a participant."""
    lines = ["sequenceDiagram", f"    title Order {_safe(timeline.order_id)}"]
    for number, saga in enumerate(timeline.sagas, start=1):
        lines += [f"    {line}" for line in _Drawing(saga, f"saga{number}").lines()]
    return "\n".join(lines) + "\n"


class _Drawing:
    """The lines of the diagram for one saga."""

    def __init__(self, saga: SagaTimeline, name: str) -> None:
        self._saga = saga
        self._name = name
        steps: dict[str, None] = {}
        for transition in saga.transitions:
            declared = transition.details.get("steps")
            if isinstance(declared, (list, tuple)):
                steps.update(dict.fromkeys(map(str, declared)))
            if transition.step is not None:
                steps[transition.step] = None
            steps.update(dict.fromkeys(sent(transition)))
        self._steps = {step: f"{name}step{n}" for n, step in enumerate(steps, start=1)}

    def lines(self) -> Iterator[str]:
        yield f"participant {self._name} as {_safe(self._saga.saga)}"
        for step, alias in self._steps.items():
            yield f"participant {alias} as {_safe(step)}"
        for transition in self._saga.transitions:
            yield from self._transition(transition)

    def _transition(self, transition: Transition) -> Iterator[str]:
        said = _safe(phrase(transition))
        step = self._steps.get(transition.step or "")
        match transition.event.removeprefix("saga."):
            case "step_completed" | "step_undone" if step:
                yield f"{step}-->>{self._name}: {said}"
            case "step_failed" if step:
                yield f"{step}--x{self._name}: {said}"
            case "step_retried" | "undo_retried" if step:
                yield f"{self._name}->>{step}: {said} (attempt {transition.attempt or '?'})"
            case "started":
                yield f"Note over {self._name}: {said}"
            case _ if step:
                yield f"Note over {self._name},{step}: {said}"
            case _:
                yield f"Note over {self._name}: {said}"
        for name in sent(transition):
            yield f"{self._name}->>{self._steps[name]}: {'undo' if transition.undoing else 'do'}"


_SPECIAL = re.compile(r"[#;%{}<>&\"`\[\]\\]")
"""Of Mermaid's syntax: entities, statements, comments, directives, markup, Markdown and HTML."""


def _safe(text: str) -> str:
    """Write what is syntax to Mermaid, or to the HTML that it makes, as entities on one line."""
    return " ".join(_SPECIAL.sub(lambda found: f"#{ord(found[0])};", text).split())
