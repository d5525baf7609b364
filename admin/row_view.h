/* Rows of the journal as JSON. Layer: admin, private. NULL: no memory. */
#ifndef ADMIN_ROW_VIEW_H
#define ADMIN_ROW_VIEW_H

#include <stdbool.h>

#include <jansson.h>

#include <pointsman/journal.h>

#define ROW_VIEW_BODY_MAX (64 * 1024) /* longer bodies are not shown */

/* As lists show it. */
json_t *row_view(const struct journal_row *row);
/* With headers, the last answer and, where asked for and it is text, the body. */
json_t *row_view_whole(const struct journal_row *row, bool body);
/* What becomes of it: the part of it that explain adds to the store's record. */
json_t *row_view_place(const struct journal_row *row);

#endif
