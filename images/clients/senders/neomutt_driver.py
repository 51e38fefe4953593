#!/usr/bin/python3
"""Client driver: NeoMutt (GnuTLS), told to send one message without its screen, as mutt is."""

from __future__ import annotations

import asyncio

from common.contract import main
from common.mailer import Relayed
from mutt_driver import Mutt


class NeoMutt(Mutt):
    """The mailer."""

    paths = ("/usr/bin/neomutt",)


if __name__ == "__main__":
    asyncio.run(main(Relayed(NeoMutt())))
