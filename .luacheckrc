-- What a script of the ledger finds in Redis's and Valkey's sandbox, and nothing else.
std = "none"
read_globals = {
  "KEYS", "ARGV", "redis", "cjson", "cmsgpack", "math", "string", "table",
  "ipairs", "pairs", "tonumber", "tostring", "unpack",
}
max_line_length = 100
