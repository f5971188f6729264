-- SPDX-License-Identifier: BSD-3-Clause
--
-- Wireshark and tshark: the stream protocol of docs/protocol.md, version 1.
--
--   tshark -X lua_script:scripts/weir.lua -r capture.pcap -Y 'weir.data.seq > 1000'
--
-- UDP port 4150, and by its magic on any other. Field names: weir.<frame>.<field>.

local weir = Proto("weir", "Weir stream protocol")

local MAGIC, PORT, HEADER, TRAILER = 0x5752, 4150, 16, 24

local TYPES = {
	[1] = "HELLO", [2] = "COOKIE", [3] = "WELCOME", [4] = "ERROR", [5] = "LEAVE",
	[6] = "SUBSCRIBE", [7] = "SUBSCRIBED", [8] = "DATA", [9] = "HEARTBEAT", [10] = "CREDIT",
	[11] = "PAUSE", [12] = "ACK", [13] = "NACK", [14] = "GAP", [15] = "LOAD", [16] = "ASSIGN",
	[17] = "REVOKE", [18] = "RELEASE", [19] = "SEEK", [20] = "PRODUCE", [21] = "PRODUCE_ACK",
	[22] = "PACE", [23] = "KEY",
}
local VALUES = {
	CODES = {
		[1] = "version", [2] = "no_group", [3] = "group_full", [4] = "name_taken",
		[5] = "not_permitted", [6] = "no_stream", [7] = "unsupported", [8] = "session",
		[9] = "busy", [16] = "closed", [17] = "silent", [18] = "shutdown",
		[19] = "removed", [20] = "replaced",
	},
	ROLES = { [0] = "consumer", [1] = "producer", [2] = "agent" },
	GUARANTEES = { [0] = "at most once", [1] = "at least once" },
	STARTS = {
		[0] = "latest", [1] = "earliest", [2] = "sequence", [3] = "time", [4] = "resume",
	},
	SCOPES = { [0] = "none", [1] = "all", [2] = "list" },
	GAPS = {
		[0] = "left_out", [1] = "lapped", [2] = "expired", [3] = "too_big",
		[4] = "quarantined", [5] = "removed", [6] = "restart", [7] = "checksum",
		[8] = "skipped",
		[9] = "failover",
	},
	PACES = {
		[0] = "none", [1] = "rate", [2] = "window", [3] = "ring_full", [4] = "no_owner",
		[5] = "shed",
	},
	TIERS = { [0] = "critical", [1] = "standard", [2] = "bulk" },
}

local fields = {}
local strings = {} -- names of fields that are text

local function field(name, make, title, ...)
	local made = make("weir." .. name, title, ...)
	fields[name] = made
	strings[name] = make == ProtoField.string
	return made
end

local u8, u16, u32, u64 = ProtoField.uint8, ProtoField.uint16, ProtoField.uint32, ProtoField.uint64
local bytes, text, none = ProtoField.bytes, ProtoField.string, ProtoField.none

field("magic", u16, "Magic", base.HEX)
field("version", u8, "Version")
field("flags", u8, "Flags", base.HEX)
field("tagged", ProtoField.bool, "Tagged", 8, nil, 0x01)
field("frame_count", u16, "Frames")
field("session", u64, "Session", base.HEX)
field("slot", u16, "Slot")
field("frame", none, "Frame")
field("type", u8, "Type", base.DEC, TYPES)
field("frame.flags", u8, "Flags", base.HEX)
field("frame.ignorable", ProtoField.bool, "Ignorable", 8, nil, 0x80)
field("frame.length", u16, "Length")
field("frame.body", bytes, "Body")
field("trailer", none, "Trailer")
field("trailer.number", u64, "Number")
field("trailer.tag", bytes, "Tag")

-- The fields of a frame, or of an entry of its list, written as "name offset size kind, ...".
-- Kind: hex, text, bytes, ipv6, the name of a table of values, or nothing for a number.
local function parts(prefix, description)
	local made = {}
	for name, offset, size, kind in description:gmatch("([%w_.]+) (%d+) (%d+) ?([%w]*)") do
		local title = name:gsub("[_.]", " "):gsub("^%l", string.upper)
		local full = prefix .. "." .. name
		local number = ({ ["1"] = u8, ["2"] = u16, ["4"] = u32, ["8"] = u64 })[size]
		if kind == "text" or kind == "bytes" or kind == "ipv6" then
			field(full, ({ text = text, bytes = bytes, ipv6 = ProtoField.ipv6 })[kind], title)
		elseif kind == "hex" then
			field(full, number, title, base.HEX)
		else
			field(full, number, title, base.DEC, VALUES[kind])
		end
		made[#made + 1] = { offset = tonumber(offset), size = tonumber(size), name = full }
	end
	return made
end

local layouts = {}

-- `list`: { offset of the count, offset of the first entry, size of one, its title, its fields }
local function layout(kind, prefix, fixed, description, list)
	local made = parts(prefix, description)
	made.fixed = fixed
	if list then
		made.list = parts(prefix, list[5])
		made.list.count_at, made.list.start = list[1], list[2]
		made.list.size, made.list.title = list[3], list[4]
	end
	layouts[kind] = made
end

local LANE = "stream 4 2, partition 6 2, epoch 8 4, "
local RANGE = "range.first 0 8, range.end 8 8"

layout(1, "hello", 256, [[version_min 4 1, version_max 5 1, max_datagram 6 2, nonce 8 8 hex,
	options 16 4 hex, role 20 1 ROLES, cookie 24 32 bytes, group 56 32 text, name 88 32 text,
	key_id 120 4, timestamp_ns 128 8, public_key 136 32 bytes, tag 224 32 bytes]])
layout(2, "cookie", 48, "nonce 8 8 hex, cookie 16 32 bytes")
layout(3, "welcome", 56, [[version 4 1, guarantee 5 1 GUARANTEES, max_datagram 6 2,
	nonce 8 8 hex, session 16 8 hex, incarnation 24 8, clock_ns 32 8, options 40 4 hex,
	heartbeat_ms 44 4, liveness_ms 48 4]])
layout(4, "error", 24, [[code 4 2 CODES, text_length 6 2, nonce 8 8 hex, retry_ms 16 4,
	detail 20 4 hex]])
field("error.text", text, "Text")
layout(5, "leave", 8, "reason 4 2 CODES")
layout(6, "subscribe", 40, [[counter 4 4, start 8 1 STARTS, count 10 2, start_value 16 8,
	limit_messages 24 8, limit_bytes 32 8]], { 10, 40, 32, "Stream", "name 0 32 text" })
layout(7, "subscribed", 16, "counter 4 4, total 8 2, first 10 2, count 12 2, edition 14 2",
	{ 12, 16, 40, "Stream", "stream 0 2, partitions 2 2, name 8 32 text" })
layout(8, "data", 64, LANE .. [[covered 12 4, seq 16 8, lane_first 24 8, lane_messages 32 8,
	lane_bytes 40 8, ingest_ns 48 8, time_left_us 56 4, count 60 2]])
layout(9, "heartbeat", 24, [[count 4 2, subscribe_counter 8 4, pause_counter 12 4,
	clock_ns 16 8]], { 4, 24, 40, "Lane", [[stream 0 2, partition 2 2, epoch 4 4,
	next_seq 8 8, lane_first 16 8, lane_messages 24 8, lane_bytes 32 8]] })
layout(10, "credit", 56, [[counter 4 4, limit_messages 8 8, limit_bytes 16 8,
	consumed_messages 24 8, consumed_bytes 32 8, queue 40 4, service_ns 44 4, capacity 48 4,
	lane_count 52 2, edition 54 2]], { 52, 56, 24, "Lane", [[stream 0 2, partition 2 2, epoch 4 4,
	lane.limit_messages 8 8, lane.limit_bytes 16 8]] })
layout(11, "pause", 16, "counter 4 4, scope 8 1 SCOPES, count 10 2",
	{ 10, 16, 2, "Stream", "stream 0 2" })
layout(12, "ack", 40, LANE .. [[count 12 2, delay 14 2, next_seq 16 8, done_seq 24 8,
	newest_seq 32 8]], { 12, 40, 16, "Range", RANGE })
layout(13, "nack", 16, LANE .. "count 12 2", { 12, 16, 16, "Range", RANGE })
layout(14, "gap", 40, LANE .. [[reason 12 2 GAPS, first 16 8, end 24 8, messages 32 4,
	bytes 36 4]])
layout(15, "load", 56, [[counter 4 4, address 8 16 ipv6, port 24 2, queue_bytes 28 4,
	limit_bytes 32 4, capacity_messages 36 4, drops 40 8, echo_ns 48 8]])
local HANDOVER = LANE .. "deadline_ms 12 4, seq 16 8, lane_messages 24 8, lane_bytes 32 8"
layout(16, "assign", 40, HANDOVER)
layout(17, "revoke", 40, HANDOVER)
layout(18, "release", 40, HANDOVER)
layout(19, "seek", 32, "counter 4 4, stream 8 2, partition 10 2, start 12 1 STARTS, value 16 8")
layout(20, "produce", 40, [[epoch 4 4, counter 8 8, count 16 2, tier 18 1 TIERS,
	time_left_us 20 4, clock_ns 24 8]])
layout(21, "produce_ack", 32, "epoch 4 4, next 8 8, count 16 2, flags 18 2 hex, newest 24 8",
	{ 16, 32, 16, "Range", RANGE })
layout(22, "pace", 40, [[counter 4 4, limit_messages 8 8, limit_bytes 16 8, rate_pps 24 4,
	rate_kbps 28 4, reason 32 2 PACES, retry_ms 36 4]])
layout(23, "key", 48, "timestamp_ns 8 8, public_key 16 32 bytes")

-- Bits of the frame's flags that belong to a type.
local flag_fields = {
	[8] = {
		field("data.more", ProtoField.bool, "More", 8, nil, 0x01),
		field("data.degraded", ProtoField.bool, "Degraded", 8, nil, 0x02),
		field("data.retransmit", ProtoField.bool, "Retransmit", 8, nil, 0x04),
	},
	[9] = { field("heartbeat.starved", ProtoField.bool, "Starved", 8, nil, 0x01) },
}

field("message", none, "Message")
field("message.length", u16, "Length")
field("message.seq_delta", u16, "Sequence, from the frame's")
field("message.seq", u64, "Sequence")
field("message.ingest_delta_us", u32, "Ingest, us after the frame's")
field("message.source_port", u16, "Source port")
field("message.flags", u8, "Flags", base.HEX)
field("message.tos", u8, "TOS", base.HEX)
field("message.ipv4", ProtoField.ipv4, "Source")
field("message.ipv6", ProtoField.ipv6, "Source")
field("message.trace_id", bytes, "Trace")
field("message.span_id", bytes, "Span")
field("message.trace_flags", u8, "Trace flags", base.HEX)
field("message.payload", bytes, "Payload")
field("produce.message.length", u16, "Length")
field("produce.message.key_length", u8, "Key length")
field("produce.message.flags", u8, "Flags", base.HEX)
field("produce.message.counter_delta", u16, "Counter, from the frame's")
field("produce.message.counter", u64, "Counter")
field("produce.message.key", bytes, "Key")
field("produce.message.payload", bytes, "Payload")

do
	local all = {}
	for _, made in pairs(fields) do
		all[#all + 1] = made
	end
	weir.fields = all
end

local malformed = ProtoExpert.new("weir.malformed", "Malformed", expert.group.MALFORMED,
	expert.severity.ERROR)
local unknown = ProtoExpert.new("weir.unknown", "Unknown frame type", expert.group.UNDECODED,
	expert.severity.NOTE)
weir.experts = { malformed, unknown }

local function complain(tree, why)
	tree:add_proto_expert_info(malformed, why)
end

local function add_part(tree, entry, buffer)
	local made = fields[entry.name]
	local range = buffer(entry.offset, entry.size)
	if strings[entry.name] then
		tree:add(made, range, range:stringz())
	else
		tree:add(made, range)
	end
end

local function add_list(tree, list, buffer)
	local count = buffer(list.count_at, 2):uint()
	if list.start + count * list.size > buffer:len() then
		complain(tree, "list ends after its frame")
		return
	end
	for i = 0, count - 1 do
		local entry = buffer(list.start + i * list.size, list.size)
		local branch = tree
		if list[2] then
			branch = tree:add(entry, list.title .. " " .. i)
		end
		for _, one in ipairs(list) do
			add_part(branch, one, entry)
		end
	end
end

local function padded(length)
	return length + (4 - length % 4) % 4
end

local CONTEXT = 28

local function add_context(tree, buffer)
	tree:add(fields["message.trace_id"], buffer(0, 16))
	tree:add(fields["message.span_id"], buffer(16, 8))
	tree:add(fields["message.trace_flags"], buffer(24, 1))
end

local function add_message(tree, buffer, offset, seq)
	if offset + 12 > buffer:len() then
		return nil
	end
	local length, flags = buffer(offset, 2):uint(), buffer(offset + 10, 1):uint()
	local address = flags % 2 == 0 and 0 or (math.floor(flags / 2) % 2 == 0 and 4 or 16)
	local context = math.floor(flags / 16) % 2 == 0 and 0 or CONTEXT
	local size = padded(12 + address + context + length)
	if offset + size > buffer:len() then
		return nil
	end
	local delta = buffer(offset + 2, 2)
	local branch = tree:add(fields["message"], buffer(offset, size))
	branch:add(fields["message.length"], buffer(offset, 2))
	branch:add(fields["message.seq_delta"], delta)
	branch:add(fields["message.seq"], delta, seq + delta:uint()):set_generated()
	branch:add(fields["message.ingest_delta_us"], buffer(offset + 4, 4))
	branch:add(fields["message.source_port"], buffer(offset + 8, 2))
	branch:add(fields["message.flags"], buffer(offset + 10, 1))
	branch:add(fields["message.tos"], buffer(offset + 11, 1))
	if address == 4 then
		branch:add(fields["message.ipv4"], buffer(offset + 12, 4))
	elseif address == 16 then
		branch:add(fields["message.ipv6"], buffer(offset + 12, 16))
	end
	if context > 0 then
		add_context(branch, buffer(offset + 12 + address, context))
	end
	if length > 0 then
		branch:add(fields["message.payload"], buffer(offset + 12 + address + context, length))
	end
	return offset + size
end

local function add_produced(tree, buffer, offset, counter)
	if offset + 8 > buffer:len() then
		return nil
	end
	local length, key = buffer(offset, 2):uint(), buffer(offset + 2, 1):uint()
	local context = buffer(offset + 3, 1):uint() % 2 == 0 and 0 or CONTEXT
	local size = padded(8 + context + key + length)
	if offset + size > buffer:len() then
		return nil
	end
	local delta = buffer(offset + 4, 2)
	local branch = tree:add(fields["message"], buffer(offset, size))
	branch:add(fields["produce.message.length"], buffer(offset, 2))
	branch:add(fields["produce.message.key_length"], buffer(offset + 2, 1))
	branch:add(fields["produce.message.flags"], buffer(offset + 3, 1))
	branch:add(fields["produce.message.counter_delta"], delta)
	branch:add(fields["produce.message.counter"], delta, counter + delta:uint()):set_generated()
	if context > 0 then
		add_context(branch, buffer(offset + 8, context))
	end
	local start = offset + 8 + context
	if key > 0 then
		branch:add(fields["produce.message.key"], buffer(start, key))
	end
	if length > 0 then
		branch:add(fields["produce.message.payload"], buffer(start + key, length))
	end
	return offset + size
end

-- `first`: sequence or counter that the messages' deltas are added to
local function add_messages(tree, buffer, start, count, add, first)
	local offset = start
	for _ = 1, count do
		offset = add(tree, buffer, offset, first)
		if not offset then
			complain(tree, "message ends after its frame")
			return
		end
	end
end

local function add_text(tree, buffer)
	local length = buffer(6, 2):uint()
	if 24 + length > buffer:len() then
		complain(tree, "text ends after its frame")
	elseif length > 0 then
		tree:add(fields["error.text"], buffer(24, length))
	end
end

local function add_body(tree, kind, buffer)
	local known = layouts[kind]
	if buffer:len() < known.fixed then
		complain(tree, "frame shorter than its fixed part")
		return
	end
	for _, one in ipairs(known) do
		add_part(tree, one, buffer)
	end
	if known.list then
		add_list(tree, known.list, buffer)
	end
	if kind == 4 then
		add_text(tree, buffer)
	elseif kind == 8 then
		add_messages(tree, buffer, 64, buffer(60, 2):uint(), add_message,
			buffer(16, 8):uint64())
	elseif kind == 20 then
		add_messages(tree, buffer, 40, buffer(16, 2):uint(), add_produced,
			buffer(8, 8):uint64())
	end
end

-- One frame; returns its name, or nil when the rest cannot be read.
local function add_frame(tree, buffer, offset, last)
	if offset + 4 > last then
		complain(tree, "fewer frames than announced")
		return nil
	end
	local length = buffer(offset + 2, 2):uint()
	if length < 8 or length % 8 ~= 0 or offset + length > last then
		complain(tree, "frame length " .. length)
		return nil
	end
	local frame = buffer(offset, length):tvb()
	local kind = frame(0, 1):uint()
	local name = TYPES[kind] or ("type " .. kind)
	local branch = tree:add(fields["frame"], frame())
	branch:set_text(name)
	branch:add(fields["type"], frame(0, 1))
	branch:add(fields["frame.flags"], frame(1, 1))
	branch:add(fields["frame.ignorable"], frame(1, 1))
	for _, flag in ipairs(flag_fields[kind] or {}) do
		branch:add(flag, frame(1, 1))
	end
	branch:add(fields["frame.length"], frame(2, 2))
	if layouts[kind] then
		add_body(branch, kind, frame)
	else
		branch:add(fields["frame.body"], frame(4))
		branch:add_proto_expert_info(unknown)
	end
	return name, length
end

local function add_trailer(tree, buffer, offset)
	local branch = tree:add(fields["trailer"], buffer(offset, TRAILER))
	branch:add(fields["trailer.number"], buffer(offset, 8))
	branch:add(fields["trailer.tag"], buffer(offset + 8, 16))
end

function weir.dissector(buffer, packet, root)
	if buffer:len() < HEADER or buffer(0, 2):uint() ~= MAGIC then
		return 0
	end
	packet.cols.protocol = "WEIR"
	local tree = root:add(weir, buffer())
	tree:add(fields["magic"], buffer(0, 2))
	tree:add(fields["version"], buffer(2, 1))
	tree:add(fields["flags"], buffer(3, 1))
	tree:add(fields["tagged"], buffer(3, 1))
	tree:add(fields["frame_count"], buffer(4, 2))
	tree:add(fields["session"], buffer(8, 8))
	tree:add(fields["slot"], buffer(14, 2)):set_generated()
	if buffer(2, 1):uint() ~= 1 then
		complain(tree, "version unknown")
		return buffer:len()
	end
	local is_tagged = buffer(3, 1):uint() % 2 == 1
	local last = buffer:len() - (is_tagged and TRAILER or 0)
	if last < HEADER then
		complain(tree, "no room for the trailer")
		return buffer:len()
	end
	local offset, names = HEADER, {}
	for _ = 1, buffer(4, 2):uint() do
		local name, length = add_frame(tree, buffer, offset, last)
		if not name then
			break
		end
		names[#names + 1] = name
		offset = offset + length
	end
	packet.cols.info = table.concat(names, ", ")
	if offset < last and #names == buffer(4, 2):uint() then
		complain(tree, "bytes after the last frame")
	end
	if is_tagged then
		add_trailer(tree, buffer, last)
	end
	return buffer:len()
end

DissectorTable.get("udp.port"):add(PORT, weir)
weir:register_heuristic("udp", function(buffer, packet, root)
	if buffer:len() < HEADER + 8 or buffer(0, 2):uint() ~= MAGIC or buffer(2, 1):uint() ~= 1 then
		return false
	end
	weir.dissector(buffer, packet, root)
	return true
end)
