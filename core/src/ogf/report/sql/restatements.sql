-- What providers changed afterwards, the latest first.
SELECT published_at, org_id, provider, stream, partition_key, "month", provider_scope, accounting,
    old_model_version, new_model_version, steady(old_kgco2e) AS old_kgco2e, steady(new_kgco2e) AS new_kgco2e,
    -- nothing, where it only comes of adding the same figures in another order
    if(abs(change_kgco2e) <= 1e-9 * greatest(abs(old_kgco2e), abs(new_kgco2e)), 0, steady(change_kgco2e)) AS change_kgco2e
FROM restatements
WHERE :asked AND (accounting IS NULL OR accounting IN (:accountings))
    AND (abs(restatements.change_kgco2e) > 1e-9 * greatest(abs(restatements.old_kgco2e), abs(restatements.new_kgco2e)) OR old_kgco2e IS NULL OR new_kgco2e IS NULL OR old_model_version IS DISTINCT FROM new_model_version)
ORDER BY published_at DESC, "month", provider, stream, partition_key, provider_scope, accounting, org_id, new_load_id
