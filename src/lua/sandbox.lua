-- What every script sees: the globals, and what keeps scripts from changing them. Runs once in each interpreter, before
-- any script.
-- `native` holds functions written in Rust, `libraries` the tables that scripts see under their names;
-- `is_for_functions`: the interpreter runs functions of libraries.
--
-- Redis patches Lua so that a table can be made read-only. Here a protected table is an empty one: reading it falls
-- through to its contents (`__index`), and writing to it is refused (`__newindex`). Functions that would see that the
-- table is empty are replaced below, and look into `contents` first; `table.foreach` and its kin see it empty.
local native, libraries, is_for_functions = ...

local error, next, pcall, rawget, rawset, select, tonumber, tostring, type, xpcall =
    error, next, pcall, rawget, rawset, select, tonumber, tostring, type, xpcall
local getmetatable, setmetatable, loadstring = getmetatable, setmetatable, loadstring
local resume, insert, sub, concat = coroutine.resume, table.insert, string.sub, table.concat

local READ_ONLY = 'Attempt to modify a readonly table'

-- From each protected table to its contents.
local contents = {}

local function refuse()
    error(READ_ONLY, 2)
end

local function missing(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end

-- `is_complete`: reading what is not there is an error.
local function protect(content, is_complete)
    if is_complete then
        setmetatable(content, { __index = missing })
    end
    local protected = setmetatable({}, { __index = content, __newindex = refuse })
    contents[protected] = content
    return protected
end

-- Raises an error as a function in C does: with the position of the caller in front, and with this name instead of
-- '?', unless a function in C was the caller. After a tail call (`return pairs(x)`) the caller is gone, and with it the
-- position and the name.
local raise = native.raise

-- The argument comes last, if there is one.
local function wrong_argument(position, name, expected, ...)
    local found = select('#', ...) == 0 and 'no value' or type((...))
    raise(("bad argument #%d to '?' (%s expected, got %s)"):format(position, expected, found), name)
end

-- The contents of a protected table; else the argument itself, which has to be a table.
local function table_argument(name, ...)
    local value = ...
    local content = contents[value]
    if content then
        return content
    end
    if type(value) ~= 'table' then
        wrong_argument(1, name, 'table', ...)
    end
    return value
end

local globals = {}

-- Iterating.

function globals.next(...)
    local t, key = ...
    local content = contents[t]
    if content then
        return next(content, key)
    end
    if type(t) ~= 'table' then
        wrong_argument(1, 'next', 'table', ...)
    end
    return next(t, key)
end

local next_of_any = globals.next

function globals.pairs(...)
    local t = ...
    if contents[t] then
        return next_of_any, t, nil
    end
    if type(t) ~= 'table' then
        wrong_argument(1, 'pairs', 'table', ...)
    end
    return next, t, nil
end

-- Raw access.

function globals.rawget(...)
    local t, key = ...
    local content = table_argument('rawget', ...)
    if select('#', ...) < 2 then
        raise("bad argument #2 to '?' (value expected)", 'rawget')
    end
    return rawget(content, key)
end

function globals.rawset(...)
    local t, key, value = ...
    local count = select('#', ...)
    if contents[t] then
        error(READ_ONLY, 0)
    end
    if type(t) ~= 'table' then
        wrong_argument(1, 'rawset', 'table', ...)
    end
    if count < 3 then
        raise(("bad argument #%d to '?' (value expected)"):format(count + 1), 'rawset')
    end
    if key == nil then
        error('table index is nil', 0)
    end
    return rawset(t, key, value)
end

function libraries.table.insert(...)
    local t, position, value = ...
    if contents[t] then
        error(READ_ONLY, 0)
    end
    if type(t) ~= 'table' then
        wrong_argument(1, 'insert', 'table', ...)
    end
    local count = select('#', ...)
    if count == 2 then
        insert(t, position)
    elseif count == 3 then
        if type(position) ~= 'number' and not tonumber(position) then
            wrong_argument(2, 'insert', 'number', position)
        end
        insert(t, position, value)
    else
        raise("wrong number of arguments to 'insert'", 'insert')
    end
end

-- Patterns. Lua 5.1 matches them by recursion in C, as deep as a pattern has quantifiers: it could use up the thread's
-- stack.

local MOST_QUANTIFIERS = 2000
local plain_find, plain_gsub = string.find, string.gsub

-- What these functions raise themselves, in contrast to the function that replaces matches.
local OWN_ERRORS = {
    "^bad argument #%d+ to '", '^invalid ', '^malformed pattern', '^missing ', '^too many captures',
    '^unfinished capture',
}

local function is_own(message)
    for _, pattern in ipairs(OWN_ERRORS) do
        if type(message) == 'string' and plain_find(message, pattern) then
            return true
        end
    end
    return false
end

local function relay(name, ok, ...)
    if ok then
        return ...
    end
    local failure = (...)
    if is_own(failure) then
        raise(failure, name)
    end
    error(failure, 0)
end

local function is_too_complex(pattern)
    if type(pattern) ~= 'string' or #pattern <= MOST_QUANTIFIERS then
        return false
    end
    local _, quantifiers = plain_gsub(pattern, '[*+?-]', '')
    return quantifiers > MOST_QUANTIFIERS
end

for _, name in ipairs({ 'find', 'match', 'gmatch', 'gsub' }) do
    local original = libraries.string[name]
    libraries.string[name] = function(...)
        local _, pattern, _, is_plain = ...
        if is_too_complex(pattern) and not (name == 'find' and is_plain) then
            raise('pattern too complex', name)
        end
        return relay(name, pcall(original, ...))
    end
end

-- Metatables.

local global_metatable = protect({ __index = missing })
local string_metatable = getmetatable('')
local shown_string_metatable

function globals.getmetatable(...)
    if select('#', ...) == 0 then
        raise("bad argument #1 to '?' (value expected)", 'getmetatable')
    end
    local value = (...)
    if contents[value] then
        return contents[value] == globals and global_metatable or nil
    end
    local metatable = getmetatable(value)
    if metatable == string_metatable then
        return shown_string_metatable
    end
    return metatable
end

function globals.setmetatable(...)
    local t, metatable = ...
    if contents[t] then
        error(READ_ONLY, 0)
    end
    if type(t) ~= 'table' then
        wrong_argument(1, 'setmetatable', 'table', ...)
    end
    if select('#', ...) < 2 or metatable ~= nil and type(metatable) ~= 'table' then
        raise("bad argument #2 to '?' (nil or table expected)", 'setmetatable')
    end
    if not pcall(setmetatable, t, metatable) then
        raise('cannot change a protected metatable', 'setmetatable')
    end
    return t
end

-- Errors. One that Rust code raises is a userdata on its way. Each function that catches errors hands it over as what
-- Redis raises there: a string, or a table with the field `err`.

local function caught(failure)
    if type(failure) == 'userdata' then
        return (native.caught(failure))
    end
    return failure
end

-- Chunks. Redis' Lua loads no precompiled ones, since they could break the interpreter: what begins as such is read as
-- text, and is a syntax error.

local function load_text(text, name)
    -- The sandbox itself goes on when a script has to end.
    if name == '=sandbox' then
        name = '=?'
    end
    if sub(text, 1, 1) == '\27' then
        return loadstring(' ' .. text, name or text)
    end
    return loadstring(text, name)
end

function globals.loadstring(...)
    local text, name = ...
    if type(text) == 'number' then
        text = tostring(text)
    elseif type(text) ~= 'string' then
        wrong_argument(1, 'loadstring', 'string', ...)
    end
    return load_text(text, name)
end

function globals.load(...)
    local reader, name = ...
    if type(reader) ~= 'function' then
        wrong_argument(1, 'load', 'function', ...)
    end
    local pieces = {}
    local function read_all()
        while true do
            local piece = reader()
            if piece == nil or piece == '' then
                return
            end
            if type(piece) ~= 'string' and type(piece) ~= 'number' then
                error('reader function must return a string', 0)
            end
            pieces[#pieces + 1] = piece
        end
    end
    local ok, failure = pcall(read_all)
    if not ok then
        return nil, caught(failure)
    end
    return load_text(concat(pieces), name or '=(load)')
end

-- Catching errors.

-- As in Redis: pcall shows the message of an error that is a table, as it was before Redis 7.
local function settle(ok, ...)
    if ok then
        return true, ...
    end
    local failure = caught((...))
    if type(failure) == 'table' then
        local message = failure.err
        if type(message) == 'string' or type(message) == 'number' then
            return false, message
        end
    end
    return false, failure
end

function globals.pcall(...)
    if select('#', ...) == 0 then
        return false, 'attempt to call a boolean value'
    end
    return settle(pcall(...))
end

function globals.xpcall(...)
    if select('#', ...) < 2 then
        raise("bad argument #2 to '?' (value expected)", 'xpcall')
    end
    local f, handler = ...
    return xpcall(f, function(failure)
        local shown, is_ending = failure, false
        if type(failure) == 'userdata' then
            shown, is_ending = native.caught(failure)
        end
        -- Nothing could end a handler that never ends: Lua calls it from within the hook that ends the script.
        if is_ending then
            return shown
        end
        return handler(shown)
    end)
end

local function resumed(ok, ...)
    if ok then
        return true, ...
    end
    return false, caught((...))
end

function libraries.coroutine.resume(thread, ...)
    if type(thread) ~= 'thread' then
        raise("bad argument #1 to '?' (coroutine expected)", 'resume')
    end
    return resumed(resume(thread, ...))
end

-- The handler of the errors that end a script: notes where it was.
local function handle(failure)
    if type(failure) == 'userdata' then
        failure = native.shown(failure)
    end
    if type(failure) ~= 'table' then
        failure = { err = 'ERR ' .. tostring(failure) }
    end
    local source, line = native.locate()
    if source then
        failure.source = source
        failure.line = line
    end
    return failure
end

if not is_for_functions then
    globals.__redis__err__handler = handle
end

-- The globals.

for _, name in ipairs({
    '_VERSION', 'assert', 'collectgarbage', 'error', 'gcinfo', 'ipairs', 'rawequal', 'select', 'tonumber', 'tostring',
    'type', 'unpack',
}) do
    globals[name] = _G[name]
end
for name, library in next, libraries do
    globals[name] = protect(library)
end
globals._G = protect(globals, true)

-- Methods of strings are looked up in the protected table.
string_metatable.__index = globals.string
shown_string_metatable = protect({ __index = globals.string })

-- Compiled scripts, by their numbers.
local scripts = {}

local function add_script(number, program)
    scripts[number] = program
end

local function forget_scripts()
    scripts = {}
end

-- Runs a script, and catches its error. Keys and arguments are tables, or nil if there are none.
local function run_script(number, keys, arguments)
    globals.KEYS = keys or {}
    globals.ARGV = arguments or {}
    return xpcall(scripts[number], handle)
end

-- Runs a function of a library, and catches its error.
local function run_function(program, keys, arguments)
    return xpcall(function()
        return program(keys or {}, arguments or {})
    end, handle)
end

-- Functions of libraries have a table of globals around the one that all scripts have: it shows others while a library
-- is loaded.
local shown_to_functions = protect(globals)

local function switch(to)
    contents[shown_to_functions] = to
    getmetatable(shown_to_functions).__index = to
end

return {
    globals = globals,
    shown = is_for_functions and shown_to_functions or globals._G,
    load_text = load_text,
    add_script = add_script,
    forget_scripts = forget_scripts,
    run_script = run_script,
    run_function = run_function,
    protect = protect,
    switch = switch,
}
