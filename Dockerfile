# Built by the same script as everywhere; the image that runs has only the libraries.
FROM debian:12 AS build
RUN apt-get update -q && apt-get install -y -q --no-install-recommends git make
WORKDIR /src
COPY . .
RUN scripts/install-deps --build && make all demo

FROM debian:12-slim
COPY --from=build /src/scripts/install-deps /opt/pointsman/install-deps
RUN /opt/pointsman/install-deps --runtime && rm -rf /var/lib/apt/lists/* \
 && useradd --system --home-dir /var/lib/pointsman --create-home pointsman
COPY --from=build /src/build/pointsman /usr/local/bin/pointsman
COPY --from=build /src/build/demo/backend /opt/pointsman/demo-backend
USER pointsman
EXPOSE 8080 9180
ENTRYPOINT ["/usr/local/bin/pointsman"]
CMD ["serve", "-c", "/etc/pointsman.yaml"]
