# Laid out as Alertmanager's image: /etc/alertmanager/alertmanager.yml and /alertmanager are where its users mount things.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN make build && mkdir /empty

FROM gcr.io/distroless/static-debian12:latest
LABEL org.opencontainers.image.title="Midwatch" \
      org.opencontainers.image.description="An Alertmanager-compatible alert router and escalation engine" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.source="https://github.com/midwatch/midwatch"
COPY --from=build /src/midwatch /bin/midwatch
COPY --from=build /src/examples/quickstart.yml /etc/alertmanager/alertmanager.yml
COPY --from=build /src/LICENSE /LICENSE
# 65534 is nobody, as in Alertmanager's image: a volume written by one is readable by the other.
COPY --from=build --chown=65534:65534 /empty /alertmanager
USER       65534:65534
EXPOSE     9093
VOLUME     [ "/alertmanager" ]
WORKDIR    /alertmanager
ENTRYPOINT [ "/bin/midwatch" ]
CMD        [ "--config.file=/etc/alertmanager/alertmanager.yml", \
             "--storage.path=/alertmanager" ]
