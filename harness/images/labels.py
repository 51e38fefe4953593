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
OPENSSL_SOURCE = PREFIX + "openssl-source"
FLAVOUR = PREFIX + "flavour"
REPLACES = PREFIX + "replaces"
FRONT = PREFIX + "front"
UNVERIFIED = PREFIX + "unverified"

#: The Open Container Initiative's own (image-spec, annotations).
OCI_TITLE = "org.opencontainers.image.title"
OCI_VERSION = "org.opencontainers.image.version"
OCI_CREATED = "org.opencontainers.image.created"
OCI_BASE_NAME = "org.opencontainers.image.base.name"
OCI_BASE_DIGEST = "org.opencontainers.image.base.digest"
