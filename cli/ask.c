/* Asks for reasons and consent, only where somebody is there to answer. */
#include "ask.h"

#include <string.h>
#include <unistd.h>

static bool read_line(const char *question, char *out, size_t cap) {
    fprintf(stderr, "%s", question);
    if (!fgets(out, (int)cap, stdin))
        return false;
    out[strcspn(out, "\n")] = 0;
    return true;
}

void ask_reason(const struct args *args, const char *option, char *out, size_t cap) {
    const char *given = args_get(args, option);
    char line[512] = "";
    bool somebody = !given && isatty(STDIN_FILENO) && !args_get(args, "json");
    if (somebody && !read_line("Reason [manual]: ", line, sizeof line))
        line[0] = 0;
    snprintf(out, cap, "%s", given ? given : *line ? line : "manual");
}

bool ask_yes(const char *question) {
    char line[16] = "";
    if (!isatty(STDIN_FILENO))
        return true;
    return read_line(question, line, sizeof line) && (line[0] == 'y' || line[0] == 'Y');
}
