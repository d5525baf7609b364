/* The text of the library of Redis functions. Layer: store. */
#ifndef POINTSMAN_STORE_REDIS_LUA_H
#define POINTSMAN_STORE_REDIS_LUA_H

/* Without the first line ("#!lua name=…") and `local VERSION = '…'`, which carry the hash of this
 * text: two releases at one Redis keep their own functions. */
extern const char *const redis_lua_text;

#endif
