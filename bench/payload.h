/* Signed deliveries about many different entities, made ready before the run. Layer: bench. */
#ifndef BENCH_PAYLOAD_H
#define BENCH_PAYLOAD_H

#include <stddef.h>

#include <pointsman/buf.h>
#include <pointsman/compiler.h>
#include <pointsman/slice.h>

/* One request is `front`, a delivery id, one of `backs`, and `padding`. */
struct payload {
    struct buf front;   /* request line and fields, up to the value of X-GitHub-Delivery */
    struct buf *backs;  /* for each entity: the rest of the head with the signature; the body */
    struct buf padding; /* the end of all bodies; empty unless they are made larger */
    size_t count;       /* of entities */
    size_t body_len;    /* their mean */
};

struct payload_options {
    const char *file;      /* a template, see template.h */
    const char *folder;    /* or many: the nth entity gets the nth of them, over and over */
    const char *secret;    /* not needed with `no_signature` */
    const char *path;      /* request target */
    unsigned port;         /* of Host */
    unsigned entities;     /* fewer are made where all their bodies are more than half a GiB */
    unsigned body;         /* bytes of each body, within a few; 0: as the template has it */
    unsigned no_signature; /* no signature */
};

/* False: stderr says why, nothing is held. */
MUST_CHECK bool payload_make(struct payload *ret, const struct payload_options *options);
void payload_free(struct payload *p);

#endif
