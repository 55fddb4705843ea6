# The one image: for a container, a dev container and Binder. docs/hosts.md
FROM python:3.12-slim
RUN apt-get update && apt-get install -y --no-install-recommends make git chromium && rm -rf /var/lib/apt/lists/* \
    && pip install --no-cache-dir uv
# Binder wants a user of its own, by this number.
RUN useradd --create-home --uid 1000 reader
USER reader
WORKDIR /home/reader/chestlib
COPY --chown=reader . .
RUN python install.py --cpu && rm -rf /home/reader/.cache
ENV PATH=/home/reader/chestlib/.venv/bin:$PATH
EXPOSE 8888
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--no-browser", "notebooks"]
