#!/usr/bin/env python3
"""What Jinja writes for chat templates of every supported family and for single constructs.

usage: record_templates.py OUTPUT_FILE

Needs jinja2 from PyPI, set up as transformers sets it up for chat templates; it was run once, and
what it wrote lies beside it in templates.json: for every template of templates/ and every
conversation the text, or null where it is refused. Templates are our own, in the manner of the
families.
"""

import json
import pathlib
import sys

import jinja2
import jinja2.ext
import jinja2.sandbox

BRIEF = {"role": "system", "content": " Be brief.\n"}
HI = {"role": "user", "content": "Hi  "}
HELLO = {"role": "assistant", "content": "Hello, 'friend'"}
BYE = {"role": "user", "content": "\tBye <b>&</b> \u4f60\u597d \U0001f600"}
TALKS = ([HI], [BRIEF, HI], [BRIEF, HI, HELLO, BYE], [HI, HELLO, BYE], [HI, BYE], [HELLO], [])

def refuse(message):
    raise jinja2.exceptions.TemplateError(message)


def main():
    environment = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"])
    environment.filters["tojson"] = lambda value, indent=None: json.dumps(
        value, ensure_ascii=False, indent=indent)
    environment.globals["raise_exception"] = refuse

    def written(template, messages):
        try:
            return environment.from_string(template).render(
                messages=messages, bos_token="<s>", eos_token="</s>", add_generation_prompt=True,
                tools=None, documents=None)
        except (jinja2.exceptions.TemplateError, TypeError, ZeroDivisionError):
            return None

    folder = pathlib.Path(__file__).parent / "templates"
    families = {path.stem: path.read_text() for path in sorted(folder.glob("*.jinja"))}
    cases = [{"name": name, "template": template,
              "texts": [written(template, talk) for talk in TALKS]}
             for name, template in families.items()]
    cases += [{"name": f"construct {i}", "template": template,
               "texts": [written(template, talk) for talk in TALKS[:2]]}
              for i, template in enumerate(json.loads((folder / "constructs.json").read_text()))]
    pathlib.Path(sys.argv[1]).write_text(
        json.dumps({"talks": TALKS, "cases": cases}, indent=1, ensure_ascii=False) + "\n")


class Generation(jinja2.ext.Extension):
    """The marks that transformers reads and writes as they are."""

    tags = frozenset({"generation"})

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.Scope(body, lineno=line)


if __name__ == "__main__":
    sys.exit(main())
