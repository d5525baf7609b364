/* What this instance last knew of mode and percentage, on its own disk. Layer: proxy. */
#ifndef POINTSMAN_CONTROL_FILE_H
#define POINTSMAN_CONTROL_FILE_H

#include <stdbool.h>

#include <pointsman/compiler.h>
#include <pointsman/router.h>

struct control_file {
    struct control control;
    bool pending; /* a move towards legacy the store has not taken yet */
    char reason[513];
};
/* False: there is none, or it can not be read as one. */
MUST_CHECK bool control_file_read(const char *directory, struct control_file *ret);
/* Written aside, synced, renamed. False: errno says why. */
MUST_CHECK bool control_file_write(const char *directory, const struct control_file *file);

#endif
