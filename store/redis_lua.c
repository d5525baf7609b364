/* The texts of store/redis_functions.lua and redis_control.lua, one behind the other, taken in by
 * the assembler. */
#include "redis_lua.h"

__asm__(".section .rodata\n"
        "redis_functions:\n"
        ".incbin \"store/redis_functions.lua\"\n"
        ".incbin \"store/redis_control.lua\"\n"
        ".byte 0\n"
        ".previous\n");

extern const char redis_functions[];
const char *const redis_lua_text = redis_functions;
