/* The handlers of the route table. Layer: admin, private. */
#ifndef ADMIN_HANDLERS_H
#define ADMIN_HANDLERS_H

struct request;

/* probes.c */
void handle_healthz(struct request *x);
void handle_readyz(struct request *x);
/* metrics_page.c */
void handle_metrics(struct request *x);
/* status.c */
void handle_status(struct request *x);
void handle_migration_status(struct request *x);
/* audit.c */
void handle_audit(struct request *x);
/* events.c */
void handle_event(struct request *x);
void handle_entity(struct request *x);
void handle_forget(struct request *x);
/* dead.c */
void handle_dead_list(struct request *x);
void handle_doubt_list(struct request *x);
void handle_dead_show(struct request *x);
void handle_doubt_show(struct request *x);
/* batch.c */
void handle_dead_replay(struct request *x);
void handle_dead_drop(struct request *x);
void handle_doubt_resolve(struct request *x);
/* change.c */
void handle_mode(struct request *x);
void handle_rollout(struct request *x);
void handle_rollback(struct request *x);
void handle_migration_mode(struct request *x);
void handle_migration_rollback(struct request *x);

#endif
