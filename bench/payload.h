/* Signed `issues` deliveries about many different issues, made ready before the run. Layer: bench.
 */
#ifndef BENCH_PAYLOAD_H
#define BENCH_PAYLOAD_H

#include <stddef.h>

#include <pointsman/buf.h>
#include <pointsman/compiler.h>
#include <pointsman/slice.h>

/* One request is `front`, a delivery id, and one of `backs`. */
struct payload {
    struct buf front;  /* request line and fields, up to the value of X-GitHub-Delivery */
    struct buf *backs; /* the rest of the head, with the signature of this body; the body */
    size_t count;
    size_t body_len; /* of the first one; they differ by the digits of the number */
};

struct payload_options {
    const char *template; /* JSON file; {{number}} stands for the number */
    const char *secret;
    const char *path; /* request target */
    unsigned port;
    unsigned entities;
};

/* False: stderr says why, nothing is held. */
MUST_CHECK bool payload_make(struct payload *ret, const struct payload_options *options);
void payload_free(struct payload *p);

#endif
