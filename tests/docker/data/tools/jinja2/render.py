"""Prints main.cf for a version of Postfix: such as an administrator's own generator does."""

import argparse
from pathlib import Path

import jinja2

parser = argparse.ArgumentParser()
parser.add_argument("--postfix", required=True)
parser.add_argument("--openssl", required=True)
parser.add_argument("--oldest", required=True)
arguments = parser.parse_args()
version = tuple(int(part) for part in arguments.postfix.split("-")[0].split(".")[:2])
template = jinja2.Template(Path("main.cf.j2").read_text("utf-8"), undefined=jinja2.StrictUndefined)
print(template.render(version=version, openssl=arguments.openssl, oldest=arguments.oldest))
