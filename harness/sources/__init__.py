"""Where source archives come from: downloads, mirrors, Debian, files of the user's; verified."""
