# Penstock's base for Python 3.9, from an image registry. docker/scripts/build-base-images.sh builds it and adds the labels.
# The agent and the SDK are mounted when a container starts, so an upgrade of Penstock rebuilds no image.
#
# REGISTRY is empty for the engine's default registry, or a prefix with its slash: "mirror.example.com/library/".
# Declared before FROM only, so that its value does not enter the image's history.
ARG REGISTRY=
FROM ${REGISTRY}python:3.9-slim-bookworm

# A mirror's image may have a user 1000 already.
USER root
RUN getent passwd 1000 >/dev/null \
 || { groupadd --gid 1000 penstock \
   && useradd --uid 1000 --gid 1000 --create-home --home-dir /home/penstock --shell /bin/sh penstock; }
USER 1000:1000
CMD ["python3"]
