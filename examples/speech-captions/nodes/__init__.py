"""The nodes of speech-captions. Each runs in an environment of its own and imports only what it needs."""
