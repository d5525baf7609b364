/* The outcome that belongs to a granted claim. Layer: tests. */
#ifndef POINTSMAN_TESTS_STORE_FINISH_OF_H
#define POINTSMAN_TESTS_STORE_FINISH_OF_H

#include <pointsman/store.h>

/* Done with 200; what differs is set afterwards. Borrows the claim's texts. */
static inline struct store_finish finish_of(const struct store_claim *c) {
    return (struct store_finish){.source = c->source,
                                 .id = c->id,
                                 .entity = c->entity,
                                 .side = c->ret_side,
                                 .token = c->token,
                                 .fence = c->ret_fence,
                                 .attempt = c->ret_attempt,
                                 .outcome = OUTCOME_DONE,
                                 .status = 200};
}

#endif
