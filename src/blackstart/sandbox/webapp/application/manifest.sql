-- SPDX-License-Identifier: Apache-2.0
-- What a database holds, as JSON for Blackstart: rows of each table, and a digest of those that never change.
--   psql -XAtq -d DATABASE -v unchanging=countries,currencies -v shrinking=sessions -f manifest.sql > manifest.json
-- Take it just before each backup. One statement sees everything at one moment.
\if :{?unchanging} \else \set unchanging '' \endif
\if :{?shrinking} \else \set shrinking '' \endif
WITH tables AS (
  SELECT relname AS name FROM pg_class
  WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND NOT relispartition
    AND relname <> ALL (string_to_array(:'shrinking', ','))
), counted AS (
  SELECT json_object_agg(name, (xpath('/row/n/text()', query_to_xml(
    format('SELECT count(*) AS n FROM public.%I', name), false, true, '')))[1]::text::bigint ORDER BY name) AS rows
  FROM tables
), digested AS (
  SELECT json_object_agg(name, (xpath('/row/n/text()', query_to_xml(format(
    'SELECT encode(sha256(convert_to(coalesce(string_agg(t::text, chr(10) ORDER BY t::text COLLATE "C"), ''''), '
    '''UTF8'')), ''hex'') AS n FROM public.%I AS t', name), false, true, '')))[1]::text ORDER BY name) AS sha256
  FROM tables WHERE name = ANY (string_to_array(:'unchanging', ','))
)
SELECT json_build_object('taken_at', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
  'rows', rows, 'sha256', coalesce(sha256, '{}')) FROM counted, digested;
