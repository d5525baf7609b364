/* Settles what a run that ended without stopping left in its attempt logs. Layer: proxy. */
#ifndef POINTSMAN_RECOVER_H
#define POINTSMAN_RECOVER_H

#include <pointsman/err.h>
#include <pointsman/proxy.h>

/* Before the workers open their logs; runs a loop of its own, for at most a few seconds. What the
 * store does not take in that time runs into its lease and then into doubt, which is safe. False:
 * *err says why nothing can start. */
MUST_CHECK bool recover(struct proxy *proxy, struct err *err);

#endif
