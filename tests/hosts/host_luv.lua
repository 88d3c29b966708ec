-- luajit host_luv.lua LIBRARY ORDER: a guest on the loop of luv. When Lua ends
-- luv closes every handle that it finds on its loop.
local folder = arg[0]:match('^(.*/)') or './'
local found, uv = pcall(require, 'luv')
if not found then
  print('no luv for this Lua')
  os.exit(77)
end
local ffi = require('ffi')

ffi.cdef([[
void *uv_handle_get_loop(const void *handle);
]])

-- luv tells its loop to C alone; each handle knows it.
local timer = uv.new_timer()
local handle = ffi.cast('void **', timer)[0]
local loop = ffi.load(arg[1]).uv_handle_get_loop(handle)
timer:close()

local status = 1
dofile(folder .. 'guest.lua').run(uv, arg[1], loop, arg[2], function(failures)
  status = failures == 0 and 0 or 1
  uv.stop()
end)
uv.run()
os.exit(status, true)
