%% Installs `version` from what is unpacked, and measures how long processes were suspended.
%%
%% Whatever release_handler refuses has already changed every application's environment and
%% specification (OTP: release_handler.erl, change_appl_data/3, is called before the script is
%% checked), so both are put back here, in the node, where no lost connection can come between.
%%
%% release_handler drops the keys that were set while the node ran and stand in no configuration:
%% application_controller gives each application its .app's environment and the configuration, no
%% more (OTP: application_controller.erl, do_change_appl/3). Those keys are put back too: `before`
%% and `after` are the files of the resolved configurations, which tell them apart from keys that
%% a configuration has brought or taken away.
#{version := Version, 'from' := From, root := Root, before := Before, 'after' := After} = Args,
%% A code_change that takes longer than sys's 5 seconds would end the VM, and a pause is better than
%% that. A process that does not answer sys:suspend in time keeps its old state, which
%% release_handler passes over in silence (OTP: release_handler_1.erl, suspend/3): it is named.
Loaded = fun() -> [App || {App, _, _} <- application:loaded_applications()] end,
Env = fun() -> [{App, lists:sort(application:get_all_env(App))} || App <- Loaded()] end,
EnvBefore = Env(),
Restore = fun(Wanted) ->
    [
        begin
            Now = application:get_all_env(App),
            [application:unset_env(App, K) || {K, _} <- Now, not lists:keymember(K, 1, Keys)],
            [application:set_env(App, K, V) || {K, V} <- Keys, lists:keyfind(K, 1, Now) =/= {K, V}]
        end
     || {App, Keys} <- Wanted
    ]
end,
AppsOf = fun(V) ->
    {ok, Boot} = file:read_file(filename:join([Root, "releases", V, "start.boot"])),
    {script, _, Script} = binary_to_term(Boot),
    [{application, N, Props} || {apply, {application, load, [{application, N, Props}]}} <- Script]
end,
Config = fun(File) ->
    {ok, [Found]} = file:consult(File),
    Found
end,
Handler = erlang:whereis(release_handler),
%% Call tracing of one process: sys:suspend and sys:resume, where release_handler calls them. The
%% time between the two calls is what a process was suspended, and what it took to reach it.
Traced =
    try
        erlang:trace(Handler, true, [call, monotonic_timestamp]),
        erlang:trace_pattern({sys, suspend, '_'}, true, []),
        erlang:trace_pattern({sys, resume, '_'}, true, [])
    of
        _ -> true
    catch
        _:_ -> false
    end,
Started = erlang:monotonic_time(),
Result =
    try
        release_handler:install_release(Version, [
            {error_action, reboot}, {code_change_timeout, infinity}
        ])
    catch
        Class:Reason -> {error, {Class, Reason}}
    end,
Took = erlang:monotonic_time() - Started,
Pauses =
    case Traced of
        false ->
            unmeasured;
        true ->
            erlang:trace(Handler, false, [call]),
            Delivered = erlang:trace_delivered(Handler),
            Gather = fun Gather(Open, Done) ->
                receive
                    {trace_ts, Handler, call, {sys, suspend, [Pid | _]}, At} ->
                        Gather(maps:put(Pid, At, Open), Done);
                    {trace_ts, Handler, call, {sys, resume, [Pid | _]}, At} ->
                        case maps:take(Pid, Open) of
                            {Since, Rest} -> Gather(Rest, [At - Since | Done]);
                            error -> Gather(Open, Done)
                        end;
                    {trace_delivered, Handler, Delivered} ->
                        {Open, Done}
                end
            end,
            {Left, Found} = Gather(#{}, []),
            erlang:trace_pattern({sys, suspend, '_'}, false, []),
            erlang:trace_pattern({sys, resume, '_'}, false, []),
            {
                [erlang:convert_time_unit(T, native, microsecond) || T <- Found],
                [
                    unicode:characters_to_binary(io_lib:format("~w ~tw", [P, erlang:process_info(P, registered_name)]))
                 || P <- maps:keys(Left), is_process_alive(P)
                ]
            }
    end,
Answer =
    case Result of
        {ok, _Other, _Descr} ->
            Configured = fun(File, V) ->
                lists:usort(
                    [{App, K} || {App, Keys} <- Config(File), {K, _} <- Keys] ++
                        [{App, K} || {application, App, Props} <- AppsOf(V), {K, _} <- proplists:get_value(env, Props, [])]
                )
            end,
            Named = ordsets:union(Configured(Before, From), Configured(After, Version)),
            [
                application:set_env(App, K, V)
             || {App, Keys} <- EnvBefore,
                {K, V} <- Keys,
                not ordsets:is_element({App, K}, Named),
                application:get_env(App, K) =:= undefined
            ],
            ok;
        {error, {already_installed, _}} ->
            ok;
        {error, Why} ->
            Words = unicode:characters_to_binary(io_lib:format("~tp", [Why])),
            %% An instruction that failed half-way: release_handler has answered, and ends the VM
            %% next (OTP: release_handler.erl, handle_call({install_release, …})). When it answers
            %% once more, it has told init so.
            Ending =
                try
                    release_handler:which_releases(),
                    element(1, init:get_status()) =:= stopping
                catch
                    _:_ -> true
                end,
            case Ending of
                true ->
                    {ending, Words};
                false ->
                    application_controller:change_application_data(AppsOf(From), EnvBefore),
                    Restore(EnvBefore),
                    {refused, Words}
            end
    end,
#{
    answer => Answer,
    microseconds => erlang:convert_time_unit(Took, native, microsecond),
    pauses => Pauses
}.
