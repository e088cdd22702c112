"""Sections of options and how they are checked: a mistake is told in a sentence that names what is allowed."""

import difflib
import reprlib
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

BRIEFLY = reprlib.Repr()  # lists that hold each other, as aliases of YAML allow, may be longer than any memory in full
BRIEFLY.maxlevel, BRIEFLY.maxstring = 2, 100
Positive = Annotated[int, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]


def distinct(values: list) -> list:
    """The values, none of which may stand twice."""
    if twice := sorted({str(value) for value in values if values.count(value) > 1}):
        raise ValueError(f"{', '.join(twice)} stands there twice")
    return values


class BadParams(Exception):
    """params.yaml is wrong; the text says where, what is allowed and what to do."""


class Section(BaseModel):
    """Strict: text, true and false are no numbers; an integer may stand for a number with a point."""

    whole: ClassVar[bool] = False  # the whole file, which has no name in the path to a mistake
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, strict=True)


def require(name: str, allowed, where: str) -> None:
    """ValueError unless the name is one of the allowed ones; it names the nearest."""
    if name not in allowed:
        raise ValueError(f"{where}: there is no {name!r}{nearest(name, allowed)}")


def nearest(name: str, allowed) -> str:
    """A hint for a wrong name: the closest allowed one, and all of them."""
    close = difflib.get_close_matches(str(name), list(allowed), n=1, cutoff=0.5)
    hint = f"; did you mean {close[0]!r}?" if close else ";"
    return f"{hint} allowed: {', '.join(sorted(allowed)) or 'nothing'}"


def check(schema: type[BaseModel], raw: Any, where: str) -> Any:
    """Validate a section; BadParams names the key, the section, the value and what is allowed."""
    try:
        return schema.model_validate(raw)
    except ValidationError as error:
        raise BadParams("\n".join(sentence(schema, item, where) for item in error.errors())) from None


def sentence(schema: type[BaseModel], error: dict, where: str) -> str:
    """One mistake in words."""
    path = [str(part) for part in error["loc"]]
    if not issubclass(schema, Section) or not schema.whole:  # a section of its own: its name is part of the path
        where, _, name = where.rpartition(": ")
        path, where = [name, *path], where or "params.yaml"
    at = ".".join(path) or "the file"
    if error["type"] == "extra_forbidden":
        section = ".".join(path[:-1]) or "the top level"
        return f"{where}: {section} has no key {path[-1]!r}{nearest(path[-1], keys(schema, error['loc'][:-1]))}"
    if error["type"] == "missing":
        return f"{where}: {at} is missing"
    if error["type"] == "value_error":
        told = f"{at} is {error['input']!r}" if isinstance(error["input"], str | int | float) else at
        return f"{where}: {told}: {error['ctx']['error']}" if path else f"{where}: {error['ctx']['error']}"
    allowed = f"at least {error['ctx']['min_length']} needed" if error["type"] == "too_short" else error["msg"].lower()
    given = error["input"]
    given = BRIEFLY.repr(given) if isinstance(given, list | dict) else repr(given)
    return f"{where}: {at} is {given}: {allowed.partition(' or instance of')[0]}"


def keys(schema: Any, path: tuple) -> list[str]:
    """The keys allowed in the section at `path`, following models and dictionaries of models."""
    for part in path:
        if isinstance(schema, type) and issubclass(schema, BaseModel):
            schema = schema.model_fields[part].annotation
        else:  # dict[str, Model]
            schema = schema.__args__[1]
    return list(schema.model_fields)
