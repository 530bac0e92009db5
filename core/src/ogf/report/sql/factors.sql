-- The factors behind the estimates, and their PUE; those by spend have neither a region nor a grid.
SELECT provider, factor_region AS region, factor_id, factor_year, factor_basis, factor_licence, gco2e_per_kwh, pue,
    pue_factor_id, low_factor_id, high_factor_id, method, method_version,
    steady(fsum(energy_kwh)) AS energy_kwh, steady(fsum(emissions_kgco2e)) AS emissions_kgco2e
FROM monthly_emissions WHERE basis = 'estimated' AND lifecycle <> 'embodied' AND :asked
GROUP BY ALL ORDER BY ALL
