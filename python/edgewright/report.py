"""What functions give back: the command line's JSON document as a dictionary with a good face."""

import html
import json
import typing

__all__ = ["Report"]

_LISTED = 12  # of the elements of a long list


def _plain(value):
    """A value in few words."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, dict):
        return f"{len(value)} entries"
    if isinstance(value, list):
        if all(isinstance(element, (int, float, str, bool)) for element in value):
            shown = ", ".join(_plain(element) for element in value[:_LISTED])
            more = f", ... ({len(value)})" if len(value) > _LISTED else ""
            return f"[{shown}{more}]"
        return f"{len(value)} rows"
    return str(value)


def _is_table(value):
    return isinstance(value, list) and value and all(isinstance(row, dict) for row in value)


def _cell(value):
    return f"<td>{html.escape(_plain(value))}</td>"


def _table(rows):
    keys = list(dict.fromkeys(key for row in rows[:_LISTED] for key in row))
    lines = ["".join(f"<th>{html.escape(key)}</th>" for key in keys)]
    lines += ["".join(_cell(row.get(key, "")) for key in keys) for row in rows[:_LISTED]]
    if len(rows) > _LISTED:
        lines.append(f'<td colspan="{len(keys)}">... {len(rows)} rows</td>')
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _wrap(value):
    """Dictionaries within a document, however deep, answer to attributes as well."""
    if isinstance(value, dict):
        return Report({key: _wrap(element) for key, element in value.items()})
    if isinstance(value, list):
        return [_wrap(element) for element in value]
    return value


class Report(dict):
    """A JSON document: a dictionary whose keys are attributes too.

    >>> report = edgewright.inspect("model.onnx")
    >>> report.nodes == report["nodes"]
    True
    """

    @classmethod
    def from_json(cls, text: str) -> "Report":
        """The document of a JSON text."""
        return _wrap(json.loads(text))

    def to_json(self) -> str:
        """The document as JSON text."""
        return json.dumps(self, indent=2)

    def __getattr__(self, name: str) -> typing.Any:
        try:
            return self[name]
        except KeyError:
            known = ", ".join(self)
            raise AttributeError(f"no '{name}' in this report; there are {known}") from None

    def __dir__(self):
        return [*super().__dir__(), *(key for key in self if isinstance(key, str))]

    def __repr__(self):
        title = self.get("schema", "report")
        lines = [f"  {key}: {_plain(value)}" for key, value in self.items() if key != "schema"]
        return "\n".join([f"<{title}>", *lines])

    def _repr_html_(self):
        rows, tables = [], []
        for key, value in self.items():
            name = html.escape(str(key))
            if _is_table(value):
                tables.append(f"<details><summary>{name}: {len(value)}</summary>{_table(value)}"
                              "</details>")
            elif isinstance(value, dict) and value:
                cells = "".join(f"<tr><th>{html.escape(str(inner))}</th>{_cell(element)}</tr>"
                                for inner, element in list(value.items())[:_LISTED])
                tables.append(f"<details><summary>{name}: {len(value)}</summary>"
                              f"<table>{cells}</table></details>")
            else:
                rows.append(f"<tr><th>{name}</th>{_cell(value)}</tr>")
        return f"<table>{''.join(rows)}</table>{''.join(tables)}"
