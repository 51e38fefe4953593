"""The labels of our images: the image contract's names (docs/image-contract.md)."""

from __future__ import annotations

PREFIX = "org.postfix-matrix."

#: Version of the image contract.
CONTRACT_VERSION = "1"

CONTRACT = PREFIX + "contract"
KIND = PREFIX + "kind"
BUILD = PREFIX + "build"
POSTFIX = PREFIX + "postfix"
OPENSSL = PREFIX + "openssl"
HOW = PREFIX + "how"
PACKAGES = PREFIX + "packages"
ORIGIN = PREFIX + "origin"
RECIPE = PREFIX + "recipe"
SOURCE = PREFIX + "source"
FRONT = PREFIX + "front"
