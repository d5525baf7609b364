/* A thread's way to Redis: pipelined calls, reconnection, repetition. Layer: store. */
#ifndef POINTSMAN_STORE_REDIS_CLIENT_H
#define POINTSMAN_STORE_REDIS_CLIENT_H

#include <pointsman/compiler.h>
#include <pointsman/loop.h>
#include <pointsman/store.h>

struct redis_client;
struct redis_shared;

MUST_CHECK struct redis_client *redis_client_new(struct redis_shared *shared, struct loop *loop);
/* Open calls are answered STORE_AWAY. NULL is allowed. */
void redis_client_free(struct redis_client *client);
/* call->kind, done, deadline_us are set. Never answered from inside. */
void redis_client_submit(struct redis_client *client, struct store_call *call);

#endif
