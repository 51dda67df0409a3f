SELECT phone, first_name, title, score
FROM leads
WHERE updated_at < '{{ data_interval_end }}' AND score > {{ params.limit or 0 }}
