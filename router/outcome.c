/* What a backend's status means for the attempt. */
#include <pointsman/router.h>

static bool is_not_done(const struct conf_backend *backend, unsigned status) {
    for (size_t i = 0; i < backend->not_done_count; i++)
        if (backend->not_done[i] == status)
            return true;
    return false;
}

enum outcome outcome_of_status(const struct conf_backend *backend, unsigned status) {
    if (status >= 200 && status < 300)
        return OUTCOME_DONE;
    if (is_not_done(backend, status))
        return OUTCOME_NOT_DONE;
    if (status >= 300 && status < 500)
        return OUTCOME_REJECTED;
    return OUTCOME_IN_DOUBT;
}
