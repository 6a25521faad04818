%% Which versions the running node knows, and what it runs on. Nothing is changed.
%%
%% `releases` is release_handler's own list: [{Version, Status}]. `kept` is the code of each module
%% that has an old version which some process may still run (OTP: erlang:check_old_code/1).
Sasl = erlang:whereis(release_handler) =/= undefined,
Releases =
    case Sasl of
        true -> [{V, S} || {_Name, V, _Libs, S} <- release_handler:which_releases()];
        false -> []
    end,
#{
    sasl => Sasl,
    releases => Releases,
    root => code:root_dir(),
    erts => erlang:system_info(version),
    otp => erlang:system_info(otp_release),
    node => node(),
    processes => erlang:system_info(process_count),
    memory => erlang:memory(total),
    uptime => element(1, erlang:statistics(wall_clock)) div 1000,
    kept => [M || {M, _} <- code:all_loaded(), erlang:check_old_code(M)]
}.
