# The worker: `stylizer serve`, and every other command. One image for CPU and GPU: PyTorch's wheels carry CUDA, the driver
# comes from the host. Built by `make images` (buildah or Docker) and by `docker compose build`.
ARG BASE=docker.io/library/python:3.11-slim
FROM ${BASE}

# OpenCV loads libGL and GLib when it is imported.
RUN apt-get update \
    && apt-get install -y --no-install-recommends libgl1 libglib2.0-0 \
    && rm -rf /var/lib/apt/lists/*

# The lock without the tools of development and training. Byte code is compiled now: the file system is read-only later,
# and each start would compile it all again.
COPY requirements.lock docker/not_installed.txt /tmp/build/
RUN cd /tmp/build \
    && export PIP_CERT=/etc/ssl/certs/ca-certificates.crt SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt \
    && python3 -m venv /opt/venv && python3 -m venv uv \
    && grep -vE "^($(paste -sd'|' not_installed.txt))==" requirements.lock > image.lock \
    && uv/bin/pip install --quiet --no-cache-dir "$(grep '^uv==' requirements.lock)" \
    && uv/bin/uv pip install --quiet --python /opt/venv/bin/python --no-cache --compile-bytecode --no-deps -r image.lock \
    && rm -rf /tmp/build

COPY . /tmp/project
RUN /opt/venv/bin/pip install --quiet --no-cache-dir --no-deps --no-build-isolation /tmp/project \
    && rm -rf /tmp/project \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /tmp stylizer \
    && install -d -o stylizer -g stylizer /cache

USER 10001:10001
WORKDIR /cache
VOLUME /cache
ENV PATH=/opt/venv/bin:$PATH \
    STYLIZER_HOST=0.0.0.0 \
    STYLIZER_CACHE=/cache \
    CUPY_CACHE_DIR=/cache/cupy \
    PYTHONDONTWRITEBYTECODE=1
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
    CMD ["python", "-c", "from urllib.request import ProxyHandler, build_opener as make; make(ProxyHandler({})).open('http://127.0.0.1:8000/ready', timeout=4)"]
CMD ["stylizer", "serve"]
