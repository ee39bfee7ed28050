# One image for every node: agent and proxy, as a user without rights, without a compiler.
FROM rust:1.90-slim-bookworm AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv cmake g++ make \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN python3 -m venv /opt/meshnode \
 && /opt/meshnode/bin/pip install --no-cache-dir .

# The same Debian and the same Python, so that the environment runs where it is copied to.
FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --home-dir /var/lib/meshnode --shell /usr/sbin/nologin meshnode \
 && install -d -o meshnode -g meshnode -m 700 /var/lib/meshnode
COPY --from=build /opt/meshnode /opt/meshnode
ENV PATH=/opt/meshnode/bin:$PATH \
    MESHNODE_STATE_FOLDER=/var/lib/meshnode \
    PYTHONDONTWRITEBYTECODE=1
USER meshnode
VOLUME /var/lib/meshnode
# edge, mesh (the one to open between machines), admin
EXPOSE 8080 7443 7000
HEALTHCHECK --interval=5s --timeout=3s --start-period=30s \
    CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:7000/ready', timeout=2)"]
# A container that ends takes the proxy with it; whoever starts the next one finds the table on its volume.
CMD ["meshnode", "agent", "--stop-proxy"]
