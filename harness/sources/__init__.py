"""Where source archives come from: downloads, mirrors, Debian, the user's files; all verified."""
